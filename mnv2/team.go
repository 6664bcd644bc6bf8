package mnv2

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A team is the goroutines that share the work of a run. Its first member is
// the one that calls; the others sleep between runs. During a run, which has
// dozens of stages of some microseconds, they wait for each other awake: to
// sleep and be woken takes longer than most of the waits.
type team struct {
	share func(i int) // what member i does

	wake    []chan struct{} // the others', for the next run
	stage   atomic.Uint32   // counts the stages
	resting bool            // in this stage there is nothing to do but go to sleep
	working atomic.Int32    // how many of the others have not finished the stage
	ended   sync.WaitGroup

	// Where the members run, and where the caller ran before. nil: anywhere.
	on     *affinity
	before affinity
}

func newTeam(size int, on *affinity, share func(i int)) *team {
	t := &team{share: share, on: on}
	for i := 1; i < size; i++ {
		wake := make(chan struct{}, 1)
		t.wake = append(t.wake, wake)
		t.ended.Add(1)
		go func() {
			defer t.ended.Done()
			if on != nil {
				runtime.LockOSThread() // and the thread ends with this goroutine
				on.apply()
			}
			var stage uint32
			for range wake {
				for resting := false; !resting; {
					stage++
					await(func() bool { return t.stage.Load() == stage })
					resting = t.resting
					if !resting {
						t.share(i)
					}
					t.working.Add(-1)
				}
			}
		}()
	}
	return t
}

// start wakes the others.
func (t *team) start() {
	t.resting = false
	for _, wake := range t.wake {
		wake <- struct{}{}
	}
	if t.on != nil {
		runtime.LockOSThread()
		t.before = current()
		t.on.apply()
	}
}

// work has every member do its share of a stage.
func (t *team) work() {
	t.working.Store(int32(len(t.wake)))
	t.stage.Add(1)
	if !t.resting {
		t.share(0)
	}
	await(func() bool { return t.working.Load() == 0 })
}

// rest ends a run: the others go to sleep.
func (t *team) rest() {
	t.resting = true
	t.work()
	if t.on != nil {
		t.before.apply()
		runtime.UnlockOSThread()
	}
}

// close ends the others, and waits for them.
func (t *team) close() {
	for _, wake := range t.wake {
		close(wake)
	}
	t.wake = nil
	t.ended.Wait()
}

// await returns when done does. It gives the processor to whoever else wants
// it every so often: there may be fewer of them than members.
func await(done func() bool) {
	for i := 1; !done(); i++ {
		if i%128 == 0 {
			runtime.Gosched()
		}
	}
}
