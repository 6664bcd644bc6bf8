package mnv2

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
)

func TestExponentials(t *testing.T) {
	sum := sha256.New()
	for _, scale := range []float32{1e-30, 0.001, 0.07205605506896973, 0.10148648917675018, 0.5, 1, 3, 50, 800, 1e30} {
		table := exponentials(scale)
		for i, got := range table {
			// As good as a score in float32 needs, as long as it is not lost there.
			want := math.Exp(-float64(scale) * float64(i))
			if math.Abs(got-want) > 1e-11*want+1e-60 {
				t.Errorf("exp(-%g * %d): %g: want %g", scale, i, got, want)
			}
		}
		binary.Write(sum, binary.LittleEndian, table[:])
	}
	// Another sum here means that scores differ between CPUs, or from what
	// they were before.
	const want = "c0228d7b4139966e"
	if got := fmt.Sprintf("%x", sum.Sum(nil)[:8]); got != want {
		t.Errorf("the tables' bits are %s: want %s", got, want)
	}
}
