package main

import (
	"context"
	"slices"
	"sync"
	"testing"

	"tarsier/mnv2"
	"tarsier/pipeline/capture"
)

// However many cameras want the engine, and however many pictures each has: their turns come round in order, so that each gets the
// same share of it, and waits for no more than one turn of each of the others.
func TestFairTurns(t *testing.T) {
	f := readModelFile(testdata(t, "golden") + "/random_0.35_int8.tflite")
	must(t, f.err)
	m, err := loadModel(f, modelDir(t, 1001)+"/labels.txt", mnv2.Options{Threads: 1})
	must(t, err)
	e := newEngine(m)
	defer e.close()

	pictures := []int{1, 1, batch, 3 * batch} // of a frame of each camera
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mu sync.Mutex
	turns := make([]int, len(pictures)) // since all have begun
	begun := make([]bool, len(pictures))
	var running sync.WaitGroup
	for i, n := range pictures {
		frame := &capture.Frame{}
		for range n {
			frame.Pictures = append(frame.Pictures, capture.Picture{RGB: make([]byte, 224*224*3)})
		}
		scores := [][]float32{make([]float32, len(m.labels))}
		running.Add(1)
		go func() {
			defer running.Done()
			for ctx.Err() == nil {
				for rest := frame.Pictures; len(rest) > 0; rest = rest[min(batch, len(rest)):] {
					if _, err := e.run(ctx, m, rest[:min(batch, len(rest))], scores); err != nil {
						return
					}
					mu.Lock()
					if begun[i] = true; !slices.Contains(begun, false) {
						turns[i]++
					}
					most := 0
					for _, n := range turns {
						most = max(most, n)
					}
					for j, n := range turns {
						// One more for who has been served and not counted it yet.
						if n < most-2 {
							t.Errorf("camera %d had %d turns, another %d", j, n, most)
						}
					}
					if most == 40 {
						cancel()
					}
					mu.Unlock()
				}
			}
		}()
	}
	running.Wait()
}
