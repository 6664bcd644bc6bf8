package mnv2

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A team is the goroutines that share the work of a run. Its first member is
// the one that calls; the others sleep between runs. During a run, which has
// dozens of stages of some microseconds, they wait for each other awake: to
// sleep and be woken takes longer than most of the waits.
//
// A stage is a number of jobs. Each member begins with its share of them, the
// same part of every stage: what it wrote and the weights that it read are in
// the caches of its core. Then it does those of the others that nobody has
// begun: a member that the system does not let run holds up nobody.
type team struct {
	size int
	do   func(member, job int)

	running    atomic.Bool   // between start and rest
	now        atomic.Uint64 // the stage
	begun      []beginning   // of each job
	unfinished atomic.Int32  // of the stage's jobs
	wake       []chan struct{}
	ended      sync.WaitGroup

	// Where the members run, and where the caller ran before. nil: anywhere.
	on     *affinity
	before affinity
}

// beginning is the number of the last stage in which a job was begun. It has a
// cache line of its own.
type beginning struct {
	stage atomic.Uint32
	_     [60]byte
}

// A teamStage is the number of a stage, in the upper half, and how many jobs it
// has.
type teamStage uint64

func (s teamStage) number() uint32 { return uint32(s >> 32) }
func (s teamStage) jobs() int      { return int(uint32(s)) }

// linger is how long members stay awake after a run. The next one may come at
// once, and to wake up takes as long.
const linger = 50 * time.Microsecond

// newTeam makes a team of so many members, for stages of up to most jobs.
func newTeam(size, most int, on *affinity, do func(member, job int)) *team {
	t := &team{size: size, do: do, on: on, begun: make([]beginning, most)}
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
				t.help(i)
			}
		}()
	}
	return t
}

// help does jobs of one stage after the other, until there has been none for a
// while.
func (t *team) help(member int) {
	for {
		stage := teamStage(t.now.Load())
		t.take(member, stage)
		var rested time.Time
		for i := 1; teamStage(t.now.Load()) == stage; i++ {
			if i%spins != 0 {
				continue
			}
			runtime.Gosched()
			if t.running.Load() {
				continue
			}
			if rested.IsZero() {
				rested = time.Now()
			} else if time.Since(rested) > linger {
				return
			}
		}
	}
}

// take does jobs of a stage until all have been begun.
func (t *team) take(member int, stage teamStage) {
	n := stage.jobs()
	for i := range n {
		job := member*n/t.size + i
		if job >= n {
			job -= n
		}
		// Where it is a later stage by now, all jobs of this one have been begun.
		begun := &t.begun[job].stage
		if last := begun.Load(); int32(stage.number()-last) > 0 && begun.CompareAndSwap(last, stage.number()) {
			t.do(member, job) // the stage lasts until this is done
			t.unfinished.Add(-1)
		}
	}
}

// start wakes the others for a run.
func (t *team) start() {
	t.running.Store(true)
	for _, wake := range t.wake {
		select {
		case wake <- struct{}{}:
		default: // it has not slept since the last time
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
	stage := teamStage(t.now.Load()>>32+1)<<32 | teamStage(n)
	t.now.Store(uint64(stage))
	t.take(0, stage)
	for i := 1; t.unfinished.Load() != 0; i++ {
		if i%spins == 0 {
			runtime.Gosched()
		}
	}
}

// rest ends a run: the others go to sleep.
func (t *team) rest() {
	t.running.Store(false)
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

// spins is how often a waiting member looks before it gives the processor to
// whoever else wants it: there may be fewer processors than members.
const spins = 1024
