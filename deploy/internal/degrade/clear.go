package degrade

import (
	"image"
	"math"
)

var clearKinds = []Kind{
	{Class: "clear", Name: "as it is", apply: func(p *image.RGBA, _ random) *image.RGBA { return p }},
	{Class: "clear", Name: "low key", apply: lowKey},
	{Class: "clear", Name: "fog", apply: fog},
	{Class: "clear", Name: "slightly soft", apply: slightlySoft},
	{Class: "clear", Name: "low contrast", apply: lowContrast},
	{Class: "clear", Name: "JPEG of quality 40 to 60", apply: func(p *image.RGBA, r random) *image.RGBA { return compress(p, r.whole(40, 60)) }},
	{Class: "clear", Name: "half a stop off", apply: halfStop},
	{Class: "clear", Name: "grey", apply: grey},
	{Class: "clear", Name: "infrared, clean", apply: cleanInfrared},
	{Class: "clear", Name: "a picture on a plain wall", apply: plainWall},
	{Class: "clear", Name: "close-up", apply: closeUp},
	{Class: "clear", Name: "lit street at night", apply: litStreet},
	{Class: "clear", Name: "letterboxed", apply: letterboxed},
	{Class: "clear", Name: "time and name in the picture", apply: osd},
	{Class: "clear", Name: "white balance off", apply: whiteBalance},
	{Class: "clear", Name: "fine grain", apply: fineGrain},
	{Class: "clear", Name: "wide angle, dark corners", apply: vignette},
}

// lowKey lights one thing and leaves the rest in shadow.
func lowKey(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	x, y, reach, floor := r.between(0.35, 0.65), r.between(0.35, 0.65), r.between(0.3, 0.45), r.between(0.1, 0.2)
	l.each(func(px, py float64, rgb []float32) {
		v := float32(floor + (1-floor)*math.Exp(-((px-x)*(px-x)+(py-y)*(py-y))/(reach*reach)))
		for c := range 3 {
			rgb[c] *= v
		}
	})
	l.exposeTo(0.9, r.between(150, 200), 245)
	l.sense(r, 8000, 2)
	return l.develop()
}

// fog hides more of what is far, and what is far is mostly above (Koschmieder's law).
func fog(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.5, r.between(95, 125), 240)
	far, near, air := r.between(0.3, 0.5), r.between(0.6, 0.85), r.between(0.4, 0.6)
	l.each(func(_, y float64, rgb []float32) {
		t := float32(far + (near-far)*y)
		for c := range 3 {
			rgb[c] = rgb[c]*t + float32(air)*(1-t)
		}
	})
	l.sense(r, 8000, 2)
	return l.develop()
}

func slightlySoft(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.soften(r.between(0.4, 0.7))
	return l.develop()
}

func lowContrast(p *image.RGBA, r random) *image.RGBA {
	contrast, middle := r.between(0.5, 0.75), r.between(95, 150)
	for i, v := range p.Pix {
		if i%4 != 3 {
			p.Pix[i] = uint8(min(max(middle+contrast*(float64(v)-middle), 0), 255))
		}
	}
	return p
}

func halfStop(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.expose(math.Pow(2, r.sign()*r.between(0.3, 0.6)))
	return l.develop()
}

func grey(p *image.RGBA, _ random) *image.RGBA {
	l := lightOf(p)
	l.fade(1)
	return l.develop()
}

// cleanInfrared is a night camera whose lamp is strong enough.
func cleanInfrared(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.fade(1)
	l.exposeTo(0.5, r.between(90, 130), 235)
	reach := r.between(0.55, 0.8)
	l.each(func(x, y float64, rgb []float32) {
		v := float32(0.45 + 0.7*math.Exp(-((x-0.5)*(x-0.5)+(y-0.5)*(y-0.5))/(reach*reach)))
		for c := range 3 {
			rgb[c] *= v
		}
	})
	l.grain(r, r.between(4000, 10000), 2)
	return l.develop()
}

// plainWall hangs the picture on a wall, above a skirting board.
func plainWall(p *image.RGBA, r random) *image.RGBA {
	scene := lightOf(p)
	l := newLight(scene.w, scene.h)
	colour := pick(r, rgb(215, 210, 200), rgb(190, 200, 205), rgb(225, 215, 185), rgb(170, 175, 170), rgb(205, 180, 165), rgb(235, 235, 232), rgb(150, 165, 185))
	angle, slope := r.between(0, 2*math.Pi), r.between(0.1, 0.45)
	cos, sin := math.Cos(angle), math.Sin(angle)
	level := r.between(0.6, 1)
	plaster := l.stretch(clouds(r, l.small(), 2.5, 1))
	board, floor := r.between(0.84, 0.9), r.between(0.92, 0.96)
	boards, floors := pick(r, rgb(240, 238, 232), rgb(120, 90, 65)), pick(r, rgb(130, 95, 65), rgb(120, 120, 122), rgb(165, 150, 130))
	size := math.Sqrt(r.between(0.12, 0.25))
	left, top := r.between(0.1, 0.9-size), r.between(0.08, 0.75-size)
	frame := 0.012
	i := 0
	l.each(func(x, y float64, rgb []float32) {
		v := float32(level * (1 + slope*((x-0.5)*cos+(y-0.5)*sin) + 0.05*(float64(plaster.v[i])-0.5)))
		i++
		base := colour
		switch {
		case y > floor:
			base = floors
		case y > board:
			base = boards
			if y < board+0.006 || y > floor-0.006 {
				v *= 0.5
			}
		}
		for c := range 3 {
			rgb[c] = base[c] * v
		}
		u, w := (x-left)/size, (y-top)/size
		switch {
		case u >= 0 && u < 1 && w >= 0 && w < 1:
			inside := scene.at(u*float64(scene.w), w*float64(scene.h))
			copy(rgb, inside[:])
		case u > -frame/size && u < 1+frame/size && w > -frame/size && w < 1+frame/size:
			rgb[0], rgb[1], rgb[2] = 0.02, 0.018, 0.015
		case x > left && x < left+size+0.025 && y > top && y < top+size+0.025: // its shadow
			for c := range 3 {
				rgb[c] *= 0.6
			}
		}
	})
	l.sense(r, r.between(5000, 12000), 2)
	return l.develop()
}

func closeUp(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p).zoom(r.between(1.3, 1.8), r.between(0.3, 0.7), r.between(0.3, 0.7))
	return l.develop()
}

// litStreet is night under lamps: warm, uneven, and light enough to see everything.
func litStreet(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.5, r.between(80, 105), 225)
	x, reach := r.between(0.2, 0.8), r.between(0.35, 0.6)
	l.each(func(px, py float64, rgb []float32) {
		v := float32(0.55 + 0.9*math.Exp(-((px-x)*(px-x)+(py-0.6)*(py-0.6))/(reach*reach)))
		for c := range 3 {
			rgb[c] *= v
		}
	})
	l.tint(pick(r, [3]float32{1.2, 0.95, 0.6}, [3]float32{1.1, 1, 0.8}, [3]float32{0.9, 1, 1.1}))
	for range r.whole(1, 3) {
		l.lamp(r.Float64(), r.between(0.02, 0.25), r.between(1, 2.5), r.between(0.02, 0.06), pick(r, lampColours...))
	}
	l.sense(r, r.between(2500, 6000), 3)
	return l.develop()
}

func letterboxed(p *image.RGBA, r random) *image.RGBA {
	bar := r.between(0.05, 0.12)
	upright := r.chance(0.5)
	l := lightOf(p)
	l.each(func(x, y float64, rgb []float32) {
		t := y
		if upright {
			t = x
		}
		if t < bar || t > 1-bar {
			clear(rgb)
		}
	})
	return l.develop()
}

func osd(p *image.RGBA, r random) *image.RGBA {
	size := max(1, int(unit(p.Rect.Dx(), p.Rect.Dy())*r.between(0.7, 1.3)+0.5))
	w, h := p.Rect.Dx(), p.Rect.Dy()
	stamp, name := clock(r), pick(r, "CAM 01", "FRONT DOOR", "YARD", "CHANNEL 4")
	write(p, 4*size, 4*size, size, stamp, white)
	write(p, w-textWidth(name, size)-4*size, h-12*size, size, name, white)
	return p
}

func whiteBalance(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	warm := r.sign() * r.between(0.15, 0.35)
	l.tint([3]float32{float32(1 + warm), 1, float32(1 - warm)})
	return l.develop()
}

func fineGrain(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.sense(r, r.between(1500, 4000), 3)
	return l.develop()
}

func vignette(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	strength := r.between(0.5, 0.85)
	l.each(func(x, y float64, rgb []float32) {
		d := 2 * ((x-0.5)*(x-0.5) + (y-0.5)*(y-0.5)) // 1 in the corners
		v := float32(1 - strength*d*d*(2-d))
		for c := range 3 {
			rgb[c] *= v
		}
	})
	return l.develop()
}
