package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tarsier/mnv2"
	"tarsier/mnv2/tflite"
)

// engine is this program as one of the processes that are compared. peers.py is
// the same for the other engines:
//
//	time KERNEL MODEL     prints the median time of an inference in milliseconds
//	run KERNEL MODEL N    runs it N times, for somebody else to count
//
// KERNEL may be "best"; run prints which one that is.
func engine(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("%q: a kernel and a model are missing", args)
	}
	o := mnv2.Options{Threads: 1, Kernel: args[1]}
	if o.Kernel == "best" {
		o.Kernel = mnv2.Kernels()[0]
	}
	network, err := tflite.Load(args[2])
	if err != nil {
		return err
	}
	m, err := mnv2.New(network, o)
	if err != nil {
		return err
	}
	r := m.NewRunner()
	defer r.Close()
	gray := bytes.Repeat([]byte{128}, 3*m.Facts().Size*m.Facts().Size)

	if args[0] == "time" {
		ms, err := medianTime(func() error { return r.Run(gray) })
		fmt.Printf("%.4f\n", ms)
		return err
	}
	if len(args) != 4 {
		return fmt.Errorf("%q: the number of runs is missing", args)
	}
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	for range n {
		if err := r.Run(gray); err != nil {
			return err
		}
	}
	fmt.Println(m.Kernel())
	return nil
}

// medianTime of 100 inferences, or as many as a second has time for but no less
// than 11, in milliseconds. They follow 0.2 s in which caches and clocks warm up.
func medianTime(inference func() error) (float64, error) {
	for start := time.Now(); time.Since(start) < 200*time.Millisecond; {
		if err := inference(); err != nil {
			return 0, err
		}
	}
	var took []float64
	for start := time.Now(); len(took) < 11 || len(took) < 100 && time.Since(start) < time.Second; {
		before := time.Now()
		if err := inference(); err != nil {
			return 0, err
		}
		took = append(took, 1e3*time.Since(before).Seconds())
	}
	return median(took), nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
