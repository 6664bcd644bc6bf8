package web

import (
	"fmt"
	"testing"
	"time"

	"tarsier/pipeline"
)

func event(seq uint64, camera, region string) pipeline.Event {
	return pipeline.Event{Seq: seq, Camera: camera, Region: region, Type: pipeline.Enter, Label: "owl", Index: 3, Uptime: time.Minute, Top: []pipeline.Score{}}
}

func TestMemory(t *testing.T) {
	m := NewMemory()
	doors := m.Camera("porch", []string{"door", "gate"})
	doors[0].Begin(testLabels, pipeline.Thresholds{})
	doors[0].Frame(at(time.Minute), make([]float32, 4))
	m.Add([]byte("owl"), event(1, "porch", "door"))
	if m.On() || len(m.Events()) != 0 || len(doors[0].Recording().Times) != 0 {
		t.Error("what is off remembers")
	}
	m.Remember(true)
	var heard []uint64
	m.listen(func(e SeenEvent) { heard = append(heard, e.Seq) })
	doors[0].Frame(at(time.Minute), make([]float32, 4))
	m.Add([]byte("second"), event(2, "porch", "door"), event(4, "porch", "gate"))
	m.Add(nil, event(3, "porch", "door")) // it was made before, and noted after
	m.Add(nil, event(5, "gone", "door"))
	var seqs []uint64
	for _, e := range m.Events() {
		seqs = append(seqs, e.Seq)
	}
	if fmt.Sprint(seqs) != "[5 4 3 2]" || fmt.Sprint(heard) != "[2 4 3 5]" {
		t.Errorf("there are %v, heard were %v", seqs, heard)
	}
	if string(m.picture(4)) != "second" || m.picture(3) != nil || m.picture(99) != nil {
		t.Error("pictures are not those of their events")
	}
	if r := m.History("porch", "door").Recording(); len(r.Events) != 2 {
		t.Errorf("the door's events are %v", r.Events)
	}
	for i := range uint64(1000) {
		m.Add([]byte("owl"), event(6+i, "porch", "door"))
	}
	if all := m.Events(); len(all) != memoryEvents || all[0].Seq != 1005 {
		t.Errorf("%d events, the last is %d", len(all), all[0].Seq)
	}
	if again := m.Camera("porch", []string{"door", "lawn"}); again[0] != doors[0] || m.History("porch", "gate") != nil {
		t.Error("regions that stay are not kept, or others are")
	}
	m.Forget("porch")
	if m.History("porch", "door") != nil {
		t.Error("a camera that is gone is remembered")
	}
	kept := m.Camera("porch", []string{"door"})[0]
	kept.Begin(testLabels, pipeline.Thresholds{})
	kept.Frame(at(time.Minute), make([]float32, 4))
	m.Remember(false)
	if len(m.Events()) != 0 || len(kept.Recording().Times) != 0 {
		t.Error("turned off, it remembers")
	}
}
