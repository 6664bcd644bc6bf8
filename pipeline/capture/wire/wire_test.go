package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

var messages = []Message{
	&Hello{Version: Version, Build: "tarsier-capture 1.2"},
	&Open{
		Version: Version, Name: "porch", Source: "rtsp://user:pass@10.0.0.7/1", Loop: true, Every: true, Fit: Tiles, Size: 224, Rate: 30,
		Regions: []Box{{0, 0, 1, 1}, {0.1, 0.2, 0.45, 0.6}},
	},
	&Opened{Width: 1280, Height: 720, Total: 900},
	&Newest{},
	&Next{},
	&Pictures{Age: 40 * time.Millisecond, Stream: time.Hour, Width: 1280, Height: 720, Size: 16, Regions: []uint16{0, 0, 1}},
	&JPEG{Width: 640},
	&Image{Length: 5},
	&Pulse{Pictures: 12345, Idle: time.Second},
	&Fault{Pending: true, Reason: ReasonRefused, Text: "the camera refuses the login"},
}

// follows is how many bytes of pixels come after a message.
func follows(m Message) int {
	switch m := m.(type) {
	case *Pictures:
		return len(m.Regions) * int(m.Size) * int(m.Size) * 3
	case *Image:
		return int(m.Length)
	}
	return 0
}

func TestMessagesComeThrough(t *testing.T) {
	var b []byte
	for _, m := range messages {
		b = append(Append(b, m), bytes.Repeat([]byte{7}, follows(m))...)
	}
	for name, take := range map[string]func(*Decoder) error{
		"pixels read":    func(d *Decoder) error { return d.Pixels(make([]byte, d.Extra())) },
		"pixels skipped": func(*Decoder) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			d := NewDecoder(bytes.NewReader(b))
			for _, want := range messages {
				got, err := d.Read()
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%+v came through as %+v", want, got)
				}
				if d.Extra() != follows(want) {
					t.Errorf("%T: %d bytes follow, not %d", want, d.Extra(), follows(want))
				}
				if err := take(d); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := d.Read(); err != io.EOF {
				t.Errorf("after the last message: %v", err)
			}
		})
	}
}

func TestLongTextIsCut(t *testing.T) {
	b := Append(nil, &Fault{Reason: ReasonBroken, Text: strings.Repeat("x", 2*MaxText)})
	m, err := NewDecoder(bytes.NewReader(b)).Read()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m.(*Fault).Text); n != MaxText {
		t.Errorf("%d bytes", n)
	}
}

// Every prefix of a message is an end in its middle, and no length in it is believed beyond the limits.
func TestBadMessages(t *testing.T) {
	for _, m := range messages {
		b := append(Append(nil, m), make([]byte, follows(m))...)
		for n := 1; n < len(b); n++ {
			d := NewDecoder(bytes.NewReader(b[:n]))
			_, err := d.Read()
			if err == nil {
				err = d.Pixels(make([]byte, d.Extra()))
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%T cut at %d of %d bytes: %v", m, n, len(b), err)
			}
		}
	}
	change := func(m Message, at int, v ...byte) []byte {
		b := Append(nil, m)
		copy(b[at:], v)
		return b
	}
	nan := math.NaN()
	for name, b := range map[string][]byte{
		"unknown type":          change(&Next{}, 0, 200),
		"type 0":                make([]byte, 64),
		"HTTP":                  []byte("GET / HTTP/1.1\r\n\r\n"),
		"a huge body":           change(&Next{}, 4, 0xff, 0xff, 0xff, 0x7f),
		"a body where none is":  change(&Next{}, 4, 1, 0, 0, 0, 0)[:8:8],
		"a text beyond its end": change(&Hello{Build: "abc"}, head+2, 4),
		"a text too long":       change(&Hello{Build: "abc"}, head+2, 0xff, 0xff),
		"a flag of 2":           change(&Fault{Reason: 1}, head, 2),
		"no reason":             Append(nil, &Fault{}),
		"an unknown reason":     Append(nil, &Fault{Reason: reasons}),
		"an unknown fit":        Append(nil, &Open{Size: 224, Fit: 3, Regions: []Box{{0, 0, 1, 1}}}),
		"no region":             Append(nil, &Open{Size: 224}),
		"a region outside":      Append(nil, &Open{Size: 224, Regions: []Box{{0.5, 0, 0.6, 1}}}),
		"an empty region":       Append(nil, &Open{Size: 224, Regions: []Box{{0, 0, 0, 1}}}),
		"a region of nothing":   Append(nil, &Open{Size: 224, Regions: []Box{{0, nan, 1, 1}}}),
		"too many regions":      Append(nil, &Open{Size: 224, Regions: make([]Box, MaxRegions+1)}),
		"a size of 0":           Append(nil, &Open{Regions: []Box{{0, 0, 1, 1}}}),
		"no pictures":           Append(nil, &Pictures{Width: 1, Height: 1, Size: 224}),
		"too many pixels":       Append(nil, &Pictures{Width: 1, Height: 1, Size: 1024, Regions: make([]uint16, 256)}),
		"a region too far":      Append(nil, &Pictures{Width: 1, Height: 1, Size: 224, Regions: []uint16{MaxRegions}}),
		"a width of 0":          Append(nil, &Opened{Height: 1}),
		"a negative age":        Append(nil, &Pictures{Age: -1, Width: 1, Height: 1, Size: 224, Regions: []uint16{0}}),
		"a huge JPEG":           Append(nil, &Image{Length: MaxPixels + 1}),
		"an empty JPEG":         Append(nil, &Image{}),
	} {
		d := NewDecoder(bytes.NewReader(append(b, make([]byte, 16)...)))
		if m, err := d.Read(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
		if d.Extra() != 0 {
			t.Errorf("%s: %d bytes are to follow", name, d.Extra())
		}
	}
}

func TestPixelsDoNotOverrun(t *testing.T) {
	b := append(Append(nil, &Image{Length: 5}), make([]byte, 64)...)
	d := NewDecoder(bytes.NewReader(b))
	if _, err := d.Read(); err != nil {
		t.Fatal(err)
	}
	if err := d.Pixels(make([]byte, 6)); !errors.Is(err, ErrMalformed) {
		t.Errorf("6 of 5 bytes: %v", err)
	}
}

// What goes back and forth for each picture takes no memory.
func TestNoAllocation(t *testing.T) {
	answer := &Pictures{Width: 1280, Height: 720, Size: 224, Regions: []uint16{0, 0}}
	stream := Append(nil, answer)
	stream = append(stream, make([]byte, follows(answer))...)
	stream = Append(stream, &Pulse{Pictures: 1})
	r := bytes.NewReader(stream)
	d := NewDecoder(r)
	pixels := make([]byte, follows(answer))
	out := make([]byte, 0, 4096)
	question := &Newest{}
	n := testing.AllocsPerRun(100, func() {
		out = Append(Append(out[:0], question), answer)
		r.Reset(stream)
		if _, err := d.Read(); err != nil {
			t.Fatal(err)
		}
		if err := d.Pixels(pixels); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Read(); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for an answer", n)
	}
}

func TestCheck(t *testing.T) {
	good := Open{Source: "a", Size: 224, Regions: []Box{{0, 0, 1, 1}}}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Open){
		"empty":     func(o *Open) { o.Source = "" },
		"longer":    func(o *Open) { o.Source = strings.Repeat("a", MaxText+1) },
		"name":      func(o *Open) { o.Name = strings.Repeat("a", MaxName+1) },
		"size is 8": func(o *Open) { o.Size = 8 },
		"0 regions": func(o *Open) { o.Regions = nil },
		"within":    func(o *Open) { o.Regions = []Box{{0, 0, 1, 1.5}} },
	} {
		o := good
		change(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, f := range []string{"stretch", "crop", "tiles"} {
		if _, err := ParseFit(f); err != nil {
			t.Error(err)
		}
	}
	if _, err := ParseFit("Stretch"); err == nil {
		t.Error("an unknown fit is taken")
	}
}

// FuzzDecoder feeds anything to both ends' decoder: it must not panic, nor take memory for what is not there; and a message that
// it takes for good is sent on as the same bytes.
func FuzzDecoder(f *testing.F) {
	var all []byte
	for _, m := range messages {
		b := append(Append(nil, m), make([]byte, follows(m))...)
		f.Add(b)
		all = append(all, b...)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		d := NewDecoder(r)
		for {
			m, err := d.Read()
			if err != nil {
				return
			}
			again, end := Append(nil, m), len(b)-r.Len()
			if came := b[max(0, end-len(again)):end]; !bytes.Equal(again, came) {
				t.Fatalf("%+v is sent on as % x, and came as % x", m, again, came)
			}
			if d.Extra() > MaxPixels {
				t.Fatalf("%d bytes are to follow", d.Extra())
			}
			if d.Pixels(make([]byte, min(d.Extra(), 1000))) != nil {
				return
			}
		}
	})
}
