package mnv2

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestTeam has every job of every stage done once, and all of a stage before
// any of the next.
func TestTeam(t *testing.T) {
	for _, procs := range []int{1, runtime.GOMAXPROCS(0)} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		for _, size := range []int{1, 2, 5} {
			const jobs = 7
			var done [jobs]atomic.Int32
			var stage int32
			team := newTeam(size, jobs, nil, func(member, job int) {
				if n := done[job].Add(1); n != stage+1 || member >= size {
					t.Errorf("member %d does job %d for the %d. time in stage %d", member, job, n, stage)
				}
			})
			for range 30 {
				team.start()
				for range 100 {
					team.work(jobs)
					stage++
				}
				team.rest()
			}
			team.close()
			for i := range done {
				if n := done[i].Load(); n != stage {
					t.Errorf("%d members: job %d was done %d times: want %d", size, i, n, stage)
				}
			}
		}
	}
}

// TestTeamAffinity has the members, the caller among them, run on the first
// CPU only, and the caller then where it ran before.
func TestTeamAffinity(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := current()
	cpus := before.cpus()
	if len(cpus) == 0 {
		t.Skip("the system does not tell where a thread may run")
	}
	var both sync.WaitGroup // each does one job
	both.Add(2)
	var seen [2]affinity
	team := newTeam(2, 2, onCPUs(cpus[:1]), func(member, _ int) {
		seen[member] = current()
		both.Done()
		both.Wait()
	})
	team.start()
	team.work(2)
	team.rest()
	team.close()
	for i := range seen {
		if got := seen[i].cpus(); !slices.Equal(got, cpus[:1]) {
			t.Errorf("member %d ran on %v: want %v", i, got, cpus[:1])
		}
	}
	if after := current(); after != before {
		t.Errorf("the caller may run on %v: want %v", after.cpus(), cpus)
	}
}

// TestTeamSleeps has the members wait for the next run asleep, not awake.
func TestTeamSleeps(t *testing.T) {
	team := newTeam(3, 5, nil, func(int, int) {})
	defer team.close()
	team.start()
	team.work(5)
	team.rest()
	stacks := make([]byte, 1<<20)
	for asleep := 0; asleep < 2; { // or until the test's deadline
		runtime.Gosched()
		asleep = 0
		for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			header, calls, _ := strings.Cut(stack, "\n")
			if strings.Contains(calls, "mnv2.newTeam.func") && strings.Contains(header, "[chan receive") {
				asleep++
			}
		}
	}
}
