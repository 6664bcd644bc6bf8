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
//
// A stage is a number of jobs, and whoever has nothing to do takes the next
// one: a member that the system does not let run holds up nobody.
type team struct {
	do func(member, job int)

	wake       []chan struct{} // the others', for the next run
	jobs       atomic.Uint64   // of the stage; see jobs
	unfinished atomic.Int32    // of the stage's jobs
	ended      sync.WaitGroup

	// Where the members run, and where the caller ran before. nil: anywhere.
	on     *affinity
	before affinity
}

// jobs is a stage's state in one word: in the upper half how many jobs it has,
// in the lower the next one to be taken.
type jobs uint64

const resting jobs = 1 << 63 // there will be no more stages in this run

func (j jobs) left() bool { return j&resting == 0 && uint32(j) < uint32(j>>32) }

func newTeam(size int, on *affinity, do func(member, job int)) *team {
	t := &team{do: do, on: on}
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
			for range wake {
				for t.help(i) {
				}
			}
		}()
	}
	return t
}

// help does jobs of the stage until there are none left, waits for the next
// stage, and tells whether there is one.
func (t *team) help(member int) bool {
	t.take(member)
	var now jobs
	await(func() bool {
		now = jobs(t.jobs.Load())
		return now&resting != 0 || now.left()
	})
	return now&resting == 0
}

// take does jobs of the stage until there are none left.
func (t *team) take(member int) {
	for {
		now := jobs(t.jobs.Load())
		if !now.left() {
			return
		}
		if t.jobs.CompareAndSwap(uint64(now), uint64(now+1)) {
			// The stage lasts until this job is done.
			t.do(member, int(uint32(now)))
			t.unfinished.Add(-1)
		}
	}
}

// start wakes the others for a run.
func (t *team) start() {
	t.jobs.Store(0)
	for _, wake := range t.wake {
		select {
		case wake <- struct{}{}:
		default: // it has not noticed yet that the last run has ended
		}
	}
	if t.on != nil {
		runtime.LockOSThread()
		t.before = current()
		t.on.apply()
	}
}

// work has the team do n jobs.
func (t *team) work(n int) {
	t.unfinished.Store(int32(n))
	t.jobs.Store(uint64(n) << 32)
	t.take(0)
	await(func() bool { return t.unfinished.Load() == 0 })
}

// rest ends a run: the others go to sleep.
func (t *team) rest() {
	t.jobs.Store(uint64(resting))
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
