// Package degrade spoils pictures as cameras, lenses, weather, people and transmission do, so that what recognises a
// spoilt picture can be measured, and shown.
//
// It takes a picture of any size, a kind of damage and a seed, and gives a picture of the same size. The same three give the
// same picture. Every kind belongs to a class of the camera-health model; those of the class clear change a picture too,
// but as an ordinary day does. Damage is strong enough that anyone would name the class; within that, how strong it is
// varies with the seed.
//
// Lengths are in units of 1/224 of a picture's edge (the geometric mean of both), about a pixel of what a network sees, so that
// large and small pictures come out alike. Optics and sensors work on linear light (IEC 61966-2-1), in electrons where there is
// noise (EMVA 1288: Poisson for the light, Gaussian for reading it out); transmission works on bytes.
//
// It shares nothing with the generator that the model is trained on, see mnv2/train, and must not: it is there to find out
// what the generator has not thought of.
package degrade

import (
	"hash/fnv"
	"image"
	"image/draw"
	"math/rand/v2"
	"slices"
)

// A Kind is one way in which a picture comes to belong to a class.
type Kind struct {
	Class string // of the camera-health model
	Name  string // what happened
	// Fine is whether only a picture with fine detail shows it: a blurred wall is a wall.
	Fine bool

	apply func(*image.RGBA, random) *image.RGBA
}

// Kinds lists all, class by class.
func Kinds() []Kind {
	return slices.Concat(clearKinds, darkKinds, overexposedKinds, blurredKinds, coveredKinds, corruptKinds, noisyKinds)
}

// Apply gives a spoilt copy of a picture.
func (k Kind) Apply(p image.Image, seed uint64) *image.RGBA {
	h := fnv.New64a()
	h.Write([]byte(k.Class + "/" + k.Name))
	return k.apply(clone(p), newRandom(seed, h.Sum64()))
}

// clone copies a picture to one whose corner is at 0, 0.
func clone(p image.Image) *image.RGBA {
	b := p.Bounds()
	c := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(c, c.Rect, p, b.Min, draw.Src)
	return c
}

// random decides what is left open.
type random struct{ *rand.Rand }

func newRandom(seed, kind uint64) random { return random{rand.New(rand.NewPCG(seed, kind))} }

func (r random) between(low, high float64) float64 { return low + (high-low)*r.Float64() }

// whole is a whole number, high included.
func (r random) whole(low, high int) int { return low + r.IntN(high-low+1) }

func (r random) chance(p float64) bool { return r.Float64() < p }

// sign is -1 or 1.
func (r random) sign() float64 { return float64(2*r.IntN(2) - 1) }

func pick[T any](r random, of ...T) T { return of[r.IntN(len(of))] }
