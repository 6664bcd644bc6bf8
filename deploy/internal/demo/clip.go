package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"slices"
	"sync"
	"time"

	"tarsier/deploy/internal/degrade"
	"tarsier/deploy/internal/demo/street"
)

// What the clip looks like: a street that is seen well, then for a while not,
// and so on, over and over.
const (
	clipWidth, clipHeight = 640, 360
	clipRate              = 8               // pictures per second
	clearTime             = 3 * time.Second // then as long as spoiltTime
	spoiltTime            = 4 * time.Second
)

// A mishap is what spoils the picture.
type mishap struct {
	class, kind string // of package degrade
	seed        uint64
	change      int // pictures after which the damage is another; 0: never
}

var mishaps = []mishap{
	{class: "covered", kind: "hand", seed: 4},
	{class: "blurred", kind: "out of focus", seed: 1},
	{class: "dark", kind: "night with lamps", seed: 1},
	{class: "overexposed", kind: "sun in the lens", seed: 2},
	{class: "noisy", kind: "infrared, banded", seed: 1, change: 1},
	{class: "corrupt", kind: "smear downwards", seed: 1, change: 4},
}

// A clip draws its pictures when they are asked for, each once.
type clip struct {
	frames []func() []byte // JPEG
}

// newClip takes some seconds.
func newClip(width, height int) (*clip, error) {
	kinds := degrade.Kinds()
	s := street.New(width, height)
	c := &clip{frames: make([]func() []byte, int(street.Period.Seconds())*clipRate)}
	for i := range c.frames {
		at := time.Duration(i) * time.Second / clipRate
		m := shown(at)
		if m == nil {
			c.frames[i] = sync.OnceValue(func() []byte { return encode(s.Frame(at)) })
			continue
		}
		k := slices.IndexFunc(kinds, func(k degrade.Kind) bool { return k.Class == m.class && k.Name == m.kind })
		if k < 0 {
			return nil, fmt.Errorf("package degrade has no kind %q of the class %s", m.kind, m.class)
		}
		seed := m.seed
		if m.change > 0 {
			seed += uint64(i / m.change)
		}
		c.frames[i] = sync.OnceValue(func() []byte { return encode(kinds[k].Apply(s.Frame(at), seed)) })
	}
	return c, nil
}

// shown is what spoils the picture at a time of the clip; nil: nothing.
func shown(at time.Duration) *mishap {
	n, since := at/(clearTime+spoiltTime), at%(clearTime+spoiltTime)
	if since < clearTime {
		return nil
	}
	return &mishaps[int(n)%len(mishaps)]
}

// frame is the picture after so long.
func (c *clip) frame(after time.Duration) []byte {
	return c.frames[int(after*clipRate/time.Second)%len(c.frames)]()
}

// serveClip serves the clip as a camera. The function it returns ends that.
func serveClip() ([]camera, func(), error) {
	c, err := newClip(clipWidth, clipHeight)
	if err != nil {
		return nil, nil, err
	}
	street := show{name: "street", rate: clipRate, frame: c.frame}
	for _, m := range mishaps {
		street.labels = append(street.labels, m.class)
	}
	return serve([]show{street})
}

func encode(m image.Image) []byte {
	var out bytes.Buffer
	_ = jpeg.Encode(&out, m, &jpeg.Options{Quality: 90}) // a Buffer takes everything, and the size is right
	return out.Bytes()
}
