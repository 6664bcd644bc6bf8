package main

import (
	"context"
	"errors"
	"path/filepath"
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
					if _, err := e.run(ctx, e.now, rest[:min(batch, len(rest))], scores); err != nil {
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

// A width that is replaced by another of the same labels costs no frame: each is classified, all of it by the one model that is
// said to have done it. What was made for other labels is refused.
func TestSwapLosesNothing(t *testing.T) {
	labels := modelDir(t, 1001) + "/labels.txt"
	load := func(name, labels string) *model {
		f := readModelFile(testdata(t, "golden") + "/" + name + "_int8.tflite")
		must(t, f.err)
		m, err := loadModel(f, labels, mnv2.Options{Threads: 1})
		must(t, err)
		return m
	}
	widths := []*model{load("random_0.35", labels), load("random_0.75", labels)}
	frame := &capture.Frame{}
	for i := range batch + 1 { // two turns
		picture := noise(224)
		picture[0] = byte(i)
		frame.Pictures = append(frame.Pictures, capture.Picture{Region: i, RGB: picture})
	}
	newScores := func() (s [][]float32) {
		for range frame.Pictures {
			s = append(s, make([]float32, 1001))
		}
		return s
	}
	want := map[*model][][]float32{}
	for _, m := range widths {
		e := newEngine(m)
		want[m] = newScores()
		_, _, err := e.classify(t.Context(), m, frame, want[m])
		must(t, err)
		e.close()
	}

	planned := widths[0]
	e := newEngine(planned)
	stop := make(chan struct{})
	seen := make([]map[*model]int, 3) // of each camera: frames by model
	var running sync.WaitGroup
	for i := range seen {
		seen[i] = map[*model]int{}
		running.Add(1)
		go func() {
			defer running.Done()
			scores := newScores()
			for {
				select {
				case <-stop:
					return
				default:
				}
				by, took, err := e.classify(t.Context(), planned, frame, scores)
				if err != nil || took <= 0 {
					t.Errorf("a frame is lost: %v", err)
					return
				}
				seen[i][by]++
				for region := range scores {
					if !slices.Equal(scores[region], want[by][region]) {
						t.Errorf("region %d has not the scores of the model that is said to have run", region)
						return
					}
				}
			}
		}()
	}
	for i := range 8 {
		e.swap(widths[(i+1)%2])
		for pictures := 0; pictures < 2*len(frame.Pictures) && !t.Failed(); { // two frames each
			n, busy := e.usage()
			if pictures += n; n > 0 && busy <= 0 {
				t.Errorf("%d pictures took %v", n, busy)
			}
		}
	}
	close(stop)
	running.Wait()
	for _, m := range widths {
		n := 0
		for _, s := range seen {
			n += s[m]
		}
		if n == 0 {
			t.Error("a width never ran")
		}
	}

	other := load("random_0.75", filepath.Join(testdata(t, "models"), "imagenet_labels.txt"))
	e.swap(other)
	if _, _, err := e.classify(t.Context(), planned, frame, newScores()); !errors.Is(err, errOtherModel) {
		t.Errorf("what was made for other labels gives %v", err)
	}
	e.close()
	if e.now.users != 0 {
		t.Errorf("%d still use the engine", e.now.users)
	}
}
