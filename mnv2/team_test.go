package mnv2

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestTeam has every member do its share of every stage, once, and all of a
// stage before any of the next.
func TestTeam(t *testing.T) {
	for _, procs := range []int{1, runtime.GOMAXPROCS(0)} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		for _, size := range []int{1, 2, 5} {
			const stages = 100
			var done [5]int
			var stage atomic.Int32
			team := newTeam(size, nil, func(i int) {
				if done[i] != int(stage.Load()) {
					t.Errorf("member %d has done %d stages in stage %d", i, done[i], stage.Load())
				}
				done[i]++
			})
			for range 3 {
				team.start()
				for range stages {
					team.work()
					stage.Add(1)
				}
				team.rest()
			}
			team.close()
			for i, n := range done[:size] {
				if n != 3*stages {
					t.Errorf("%d members: member %d has done %d stages: want %d", size, i, n, 3*stages)
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
	var lock sync.Mutex
	var seen [][]int
	team := newTeam(2, onCPUs(cpus[:1]), func(int) {
		lock.Lock()
		defer lock.Unlock()
		on := current()
		seen = append(seen, on.cpus())
	})
	team.start()
	team.work()
	team.rest()
	team.close()
	if len(seen) != 2 || !slices.Equal(seen[0], cpus[:1]) || !slices.Equal(seen[1], cpus[:1]) {
		t.Errorf("members ran on %v: want %v", seen, cpus[:1])
	}
	if after := current(); after != before {
		t.Errorf("the caller may run on %v: want %v", after.cpus(), cpus)
	}
}

// TestTeamSleeps has the members wait for the next run asleep, not awake.
func TestTeamSleeps(t *testing.T) {
	team := newTeam(3, nil, func(int) {})
	defer team.close()
	team.start()
	team.work()
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
