package device

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// offers are the modes of some sizes, each at all of the rates.
func offers(format string, rates []float64, sizes ...[2]int) (modes []Mode) {
	for _, s := range sizes {
		for _, r := range rates {
			modes = append(modes, Mode{format, s[0], s[1], r})
		}
	}
	return modes
}

var (
	logitech = []float64{30, 25, 20, 15, 10, 5}

	c270 = slices.Concat(
		offers("YUYV", logitech, [2]int{640, 480}, [2]int{160, 120}, [2]int{320, 240}, [2]int{352, 288}, [2]int{640, 360}, [2]int{800, 600}),
		offers("YUYV", []float64{10, 5}, [2]int{960, 720}, [2]int{1024, 576}),
		offers("YUYV", []float64{7.5, 5}, [2]int{1280, 720}, [2]int{1280, 960}),
		offers("MJPG", logitech, [2]int{640, 480}, [2]int{320, 240}, [2]int{640, 360}, [2]int{800, 600}, [2]int{960, 720}, [2]int{1280, 720}, [2]int{1280, 960}))
	c920 = slices.Concat(
		offers("YUYV", []float64{30, 24, 20, 15, 10, 7.5, 5}, [2]int{640, 480}, [2]int{160, 90}, [2]int{320, 180}, [2]int{424, 240}, [2]int{640, 360}, [2]int{800, 448}),
		offers("YUYV", []float64{10, 7.5, 5}, [2]int{1280, 720}), offers("YUYV", []float64{5}, [2]int{1920, 1080}), offers("YUYV", []float64{2}, [2]int{2304, 1536}),
		offers("MJPG", []float64{30, 24, 20, 15, 10, 7.5, 5}, [2]int{640, 480}, [2]int{640, 360}, [2]int{1280, 720}, [2]int{1920, 1080}))
	cheap4K = slices.Concat(
		offers("MJPG", []float64{30}, [2]int{3840, 2160}, [2]int{2592, 1944}, [2]int{1920, 1080}, [2]int{1280, 720}, [2]int{640, 480}),
		offers("YUYV", []float64{1}, [2]int{3840, 2160}), offers("YUYV", []float64{30}, [2]int{640, 480}))
	fixed = []Mode{{"YUYV", 640, 480, 30}, {"MJPG", 640, 480, 30}}
)

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name          string
		modes         []Mode
		width, height int
		rate          float64
		want          Mode
	}{
		{"C270", c270, 224, 224, 0, Mode{"YUYV", 640, 480, 15}},
		{"C270, a region of a third", c270, 672, 672, 0, Mode{"MJPG", 960, 720, 15}}, // uncompressed it is all that the bus carries
		{"C270, a region too small", c270, 4480, 4480, 0, Mode{"MJPG", 1280, 960, 15}},
		{"C920", c920, 224, 224, 0, Mode{"YUYV", 640, 360, 15}}, // the widest view, not what is only two a second
		{"C920, a region of a half", c920, 448, 448, 0, Mode{"YUYV", 800, 448, 10}},
		{"C920, a region of a third", c920, 672, 672, 0, Mode{"MJPG", 1280, 720, 15}},
		{"C920, a region of a fifth", c920, 1120, 1120, 0, Mode{"MJPG", 1920, 1080, 15}},
		{"cheap 4K", cheap4K, 224, 224, 0, Mode{"MJPG", 1280, 720, 30}},
		{"cheap 4K, a region of a tenth", cheap4K, 2240, 1000, 0, Mode{"MJPG", 3840, 2160, 30}},
		{"one rate", fixed, 224, 224, 0, Mode{"MJPG", 640, 480, 30}},
		{"YUYV only", offers("YUYV", []float64{30}, [2]int{640, 480}, [2]int{320, 240}), 224, 224, 0, Mode{"YUYV", 640, 480, 30}},
		{"YUYV only, slow when large", []Mode{{"YUYV", 1280, 720, 5}, {"YUYV", 640, 480, 30}}, 900, 500, 0, Mode{"YUYV", 640, 480, 30}},
		{"MJPEG only", offers("MJPG", []float64{25, 30}, [2]int{1920, 1080}, [2]int{640, 360}), 224, 224, 0, Mode{"MJPG", 640, 360, 25}},
		{"small", offers("YUYV", []float64{30}, [2]int{352, 288}, [2]int{176, 144}), 224, 224, 0, Mode{"YUYV", 352, 288, 30}},
		{"slow", []Mode{{"YUYV", 640, 480, 5}, {"YUYV", 1600, 1200, 5}}, 224, 224, 0, Mode{"YUYV", 640, 480, 5}},
		{"no rates", []Mode{{"YUYV", 640, 480, 0}, {"MJPG", 640, 480, 0}}, 224, 224, 0, Mode{"MJPG", 640, 480, 0}},
		{"infrared beside colour", []Mode{{grey, 640, 480, 15}, {"MJPG", 640, 480, 30}}, 224, 224, 0, Mode{"MJPG", 640, 480, 30}},
		{"infrared", []Mode{{grey, 640, 360, 15}}, 224, 224, 0, Mode{grey, 640, 360, 15}},
		{"fewer bits", []Mode{{"YUYV", 640, 480, 15}, {"NV12", 640, 480, 15}}, 224, 224, 0, Mode{"NV12", 640, 480, 15}},
		{"C270, thirty wanted", c270, 224, 224, 30, Mode{"MJPG", 640, 480, 30}},
		{"C920, all it has wanted", c920, 224, 224, 1000, Mode{"MJPG", 640, 360, 30}},
		{"no rates, all wanted", []Mode{{"YUYV", 640, 480, 0}, {"MJPG", 640, 480, 0}}, 224, 224, 1000, Mode{"MJPG", 640, 480, 0}},
		{"odd shapes", []Mode{{"MJPG", 1366, 768, 30}, {"MJPG", 848, 480, 30}, {"MJPG", 640, 480, 30}}, 224, 224, 0, Mode{"MJPG", 848, 480, 30}},
	} {
		// In whatever order it lists them.
		for range 20 {
			rand.Shuffle(len(c.modes), func(i, j int) { c.modes[i], c.modes[j] = c.modes[j], c.modes[i] })
			if got, ok := Choose(c.modes, c.width, c.height, c.rate); !ok || got != c.want {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
	if m, ok := Choose(nil, 224, 224, 0); ok {
		t.Errorf("of no modes: %v", m)
	}
}

// To draw a smaller region does not change what the others see.
func TestShapeStays(t *testing.T) {
	for _, modes := range [][]Mode{c270, c920, cheap4K} {
		first, _ := Choose(modes, 0, 0, 0)
		for need := 224; need < 5000; need += 100 {
			m, _ := Choose(modes, need, need, 0)
			if a, b := float64(m.Width)/float64(m.Height), float64(first.Width)/float64(first.Height); a/b > 1.03 || b/a > 1.03 {
				t.Errorf("for %d pixels %v, for any %v", need, m, first)
			}
		}
	}
}

func TestStepped(t *testing.T) {
	for _, c := range []struct {
		name string
		in   [6]uint32
		want [][2]uint32
	}{
		{"continuous", [6]uint32{32, 2592, 1, 32, 1944, 1}, [][2]uint32{{2592, 1944}, {640, 360}, {640, 480}, {960, 540}, {1024, 768}, {1280, 720}, {1280, 960}, {1920, 1080}, {2560, 1440}}},
		{"steps of 16", [6]uint32{32, 1280, 16, 32, 720, 16}, [][2]uint32{{1280, 720}, {640, 480}}},
		{"no step given", [6]uint32{16, 640, 0, 16, 480, 0}, [][2]uint32{{640, 480}, {640, 360}}},
		{"small", [6]uint32{16, 320, 2, 16, 240, 2}, [][2]uint32{{320, 240}}},
	} {
		if got := stepped(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
