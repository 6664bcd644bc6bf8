package degrade

import (
	"image"
	"image/color"
	"math"
)

var corruptKinds = []Kind{
	{Class: "corrupt", Name: "damaged macroblocks", apply: plain(macroblocks)},
	{Class: "corrupt", Name: "smear downwards", Fine: true, apply: plain(smear)},
	{Class: "corrupt", Name: "torn frame", Fine: true, apply: plain(torn)},
	{Class: "corrupt", Name: "wrong stride", Fine: true, apply: wrongStride},
	{Class: "corrupt", Name: "planes read as pixels", apply: planesAsPixels},
	{Class: "corrupt", Name: "YUYV slipped by a byte", apply: slippedYUYV},
	{Class: "corrupt", Name: "chroma lost", apply: chromaLost},
	{Class: "corrupt", Name: "colour bars", apply: colourBars},
	{Class: "corrupt", Name: "no signal", apply: noSignal},
	{Class: "corrupt", Name: "half a JPEG", apply: halfJPEG},
	{Class: "corrupt", Name: "lost packets", apply: plain(lostPackets)},
	{Class: "corrupt", Name: "no key frame", Fine: true, apply: noKeyFrame},
	{Class: "corrupt", Name: "sync lost", Fine: true, apply: syncLost},
}

// yuv is a colour in the 8 bits of BT.601, full range.
func yuv(y, u, v uint8) color.RGBA {
	r, g, b := color.YCbCrToRGB(y, u, v)
	return color.RGBA{r, g, b, 255}
}

var (
	zeros = yuv(0, 0, 0)       // memory that was never written, as YUV: green
	flat  = yuv(128, 128, 128) // a decoder that has nothing to predict from
)

// plain is damage that is plain to see: of some attempts the one that changes most. What replaces asphalt by asphalt is no matter.
func plain(damage func(*image.RGBA, random) *image.RGBA) func(*image.RGBA, random) *image.RGBA {
	return func(p *image.RGBA, r random) *image.RGBA {
		var best *image.RGBA
		most := -1
		for range 3 {
			out := damage(clone(p), r)
			changed := 0
			for i, v := range out.Pix {
				changed += max(int(v), int(p.Pix[i])) - min(int(v), int(p.Pix[i]))
			}
			if changed > most {
				best, most = out, changed
			}
		}
		return best
	}
}

// copyBlock copies a rectangle from another place, as far as there is one.
func copyBlock(to, from *image.RGBA, r image.Rectangle, dx, dy int) {
	for y := r.Min.Y; y < min(r.Max.Y, to.Rect.Max.Y); y++ {
		for x := r.Min.X; x < min(r.Max.X, to.Rect.Max.X); x++ {
			to.SetRGBA(x, y, from.RGBAAt(min(max(x+dx, 0), from.Rect.Max.X-1), min(max(y+dy, 0), from.Rect.Max.Y-1)))
		}
	}
}

// coefficient adds one wrong frequency of a block's transform to its brightness and its colours.
func coefficient(p *image.RGBA, b image.Rectangle, r random) {
	fx, fy := float64(r.IntN(4)), float64(r.IntN(4))
	size := float64(b.Dx())
	strength := [3]float64{r.between(-150, 150), r.between(-150, 150), r.between(-150, 150)}
	base := [3]float64{r.between(-50, 50), r.between(-50, 50), r.between(-50, 50)}
	for y := b.Min.Y; y < min(b.Max.Y, p.Rect.Max.Y); y++ {
		for x := b.Min.X; x < min(b.Max.X, p.Rect.Max.X); x++ {
			wave := math.Cos(math.Pi*fx*(float64(x-b.Min.X)+0.5)/size) * math.Cos(math.Pi*fy*(float64(y-b.Min.Y)+0.5)/size)
			at := p.PixOffset(x, y)
			for c := range 3 {
				p.Pix[at+c] = uint8(min(max(float64(p.Pix[at+c])+base[c]+strength[c]*wave, 0), 255))
			}
		}
	}
}

// macroblocks are wrong from where a slice is damaged to its end.
func macroblocks(p *image.RGBA, r random) *image.RGBA {
	out := clone(p)
	size := pick(r, 16, 16, 32)
	across, down := (p.Rect.Dx()+size-1)/size, (p.Rect.Dy()+size-1)/size
	wrong, want := 0, int(r.between(0.3, 0.65)*float64(across*down))
	for wrong < want {
		at := r.IntN(across * down)
		run := r.whole(3, 2*across)
		dx, dy := int(r.NormFloat64()*80), int(r.NormFloat64()*50)
		how := r.IntN(5)
		for i := at; i < min(at+run, across*down); i++ {
			x, y := i%across*size, i/across*size
			b := image.Rect(x, y, x+size, y+size)
			switch how {
			case 0:
				copyBlock(out, p, b, dx, dy)
			case 1:
				fill(out, b, pick(r, flat, zeros, zeros, p.RGBAAt(r.IntN(p.Rect.Dx()), r.IntN(p.Rect.Dy()))))
			case 2:
				copyBlock(out, p, b, r.whole(-120, 120), r.whole(-90, 90))
			default:
				for range r.whole(1, 2) {
					coefficient(out, b, r)
				}
			}
			wrong++
		}
	}
	return out
}

// smear is what is left when the rest of a picture is predicted from the row above.
func smear(p *image.RGBA, r random) *image.RGBA {
	const size = 16
	w, h := p.Rect.Dx(), p.Rect.Dy()
	from := int(r.between(0.08, 0.5)*float64(h)) / size * size
	start := 0 // the first row of blocks is damaged from here on
	if r.chance(0.6) {
		start = r.IntN(w) / size * size
	}
	for x := range w {
		top := from
		if x < start {
			top += size
		}
		source := p.RGBAAt(x, max(top-1, 0))
		for y := top; y < h; y++ {
			p.SetRGBA(x, y, source)
		}
	}
	drift := r.between(-1.2, 1.2)
	for y := from; y < h; y++ {
		for x := range w {
			at := p.PixOffset(x, y)
			for c := range 3 {
				p.Pix[at+c] = uint8(min(max(float64(p.Pix[at+c])+drift*float64((y-from)/size), 0), 255))
			}
		}
	}
	return p
}

// otherMoment is what a moving camera saw somewhat later. What comes into view is the mirror image of what was there.
func otherMoment(p *image.RGBA, r random) *image.RGBA {
	out := clone(p)
	w, h := p.Rect.Dx(), p.Rect.Dy()
	dx, dy := int(r.sign()*r.between(0.2, 0.45)*float64(w)), int(r.sign()*r.between(0.05, 0.3)*float64(h))
	fold := func(i, n int) int { i = max(i, -1-i); return min(i, 2*n-1-i) }
	for y := range h {
		for x := range w {
			out.SetRGBA(x, y, p.RGBAAt(fold(x+dx, w), fold(y+dy, h)))
		}
	}
	brightness := r.between(0.7, 1.3)
	for i, v := range out.Pix {
		if i%4 != 3 {
			out.Pix[i] = uint8(min(float64(v)*brightness, 255))
		}
	}
	return out
}

func torn(p *image.RGBA, r random) *image.RGBA {
	out := clone(p)
	w, h := p.Rect.Dx(), p.Rect.Dy()
	pieces := r.whole(3, 5)
	for i := 1; i < pieces; i++ {
		from := int((float64(i) + r.between(-0.3, 0.3)) / float64(pieces) * float64(h))
		copyBlock(out, otherMoment(p, r), image.Rect(0, from, w, h), 0, 0)
	}
	return out
}

// wrongStride reads rows that are longer or shorter than they are.
func wrongStride(p *image.RGBA, r random) *image.RGBA {
	out := clone(p)
	w, h := p.Rect.Dx(), p.Rect.Dy()
	wrong := w + int(r.sign())*pick(r, 1, 2, 4, 8, 16, w/8)
	for y := range h {
		for x := range w {
			i := (y*wrong + x) % (w * h)
			out.SetRGBA(x, y, p.RGBAAt(i%w, i/w))
		}
	}
	return out
}

// planesAsPixels takes three planes, one after the other, for pixels of three bytes.
func planesAsPixels(p *image.RGBA, _ random) *image.RGBA {
	n := p.Rect.Dx() * p.Rect.Dy()
	planes := make([]uint8, 3*n)
	for i := range n {
		for c := range 3 {
			planes[c*n+i] = p.Pix[4*i+c]
		}
	}
	for i := range n {
		copy(p.Pix[4*i:4*i+3], planes[3*i:])
	}
	return p
}

// slippedYUYV takes brightness for colour and colour for brightness.
func slippedYUYV(p *image.RGBA, _ random) *image.RGBA {
	n := p.Rect.Dx() * p.Rect.Dy()
	packed := make([]uint8, 2*n+4)
	for i := range n {
		y, u, v := color.RGBToYCbCr(p.Pix[4*i], p.Pix[4*i+1], p.Pix[4*i+2])
		packed[2*i] = y
		if i%2 == 0 {
			packed[2*i+1] = u
		} else {
			packed[2*i+1] = v
		}
	}
	packed = packed[1:]
	for i := range n {
		pair := i / 2 * 4
		c := yuv(packed[2*i], packed[pair+1], packed[pair+3])
		copy(p.Pix[4*i:], []uint8{c.R, c.G, c.B})
	}
	return p
}

// chromaLost has planes of colour that are empty or full, all over or from a row on.
func chromaLost(p *image.RGBA, r random) *image.RGBA {
	h := p.Rect.Dy()
	from := 0
	if r.chance(0.4) {
		from = int(r.between(0.1, 0.5) * float64(h))
	}
	chroma := pick(r, [2]uint8{0, 0}, [2]uint8{0, 0}, [2]uint8{255, 255}, [2]uint8{0, 255}, [2]uint8{255, 0})
	for i := from * p.Rect.Dx(); i < h*p.Rect.Dx(); i++ {
		y, _, _ := color.RGBToYCbCr(p.Pix[4*i], p.Pix[4*i+1], p.Pix[4*i+2])
		c := yuv(y, chroma[0], chroma[1])
		copy(p.Pix[4*i:], []uint8{c.R, c.G, c.B})
	}
	return p
}

// colourBars are those of SMPTE EG 1, or plain ones of 75 or 100 percent.
func colourBars(p *image.RGBA, r random) *image.RGBA {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	full := pick(r, uint8(191), uint8(191), uint8(255))
	bars := make([]color.RGBA, 7)
	for i := range bars {
		bars[i] = color.RGBA{full * uint8(1-i>>1&1), full * uint8(1-i>>2&1), full * uint8(1-i&1), 255} // white yellow cyan green magenta red blue
	}
	smpte := r.chance(0.6)
	for i, c := range bars {
		x0, x1 := i*w/7, (i+1)*w/7
		fill(p, image.Rect(x0, 0, x1, h), c)
		if smpte {
			below := color.RGBA{19, 19, 19, 255}
			if i%2 == 0 {
				below = bars[6-i]
			}
			fill(p, image.Rect(x0, h*67/100, x1, h*75/100), below)
		}
	}
	if smpte {
		foot := []color.RGBA{{0, 33, 76, 255}, {255, 255, 255, 255}, {50, 0, 106, 255}, {19, 19, 19, 255}}
		x := 0
		for i, c := range foot {
			next := (i + 1) * w * 5 / 28
			if i == 3 {
				next = w
			}
			fill(p, image.Rect(x, h*75/100, next, h), c)
			x = next
		}
	}
	if r.chance(0.4) {
		size, now := max(1, int(unit(w, h)*1.5)), clock(r)
		write(p, (w-textWidth(now, size))/2, h/2, size, now, white)
	}
	return compress(p, 85)
}

func noSignal(p *image.RGBA, r random) *image.RGBA {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	fill(p, p.Rect, pick(r, color.RGBA{0, 0, 190, 255}, color.RGBA{0, 0, 255, 255}, color.RGBA{10, 20, 110, 255}, color.RGBA{0, 0, 0, 255}, color.RGBA{60, 60, 60, 255}))
	text := pick(r, "NO SIGNAL", "NO VIDEO", "VIDEO LOSS", "CAMERA OFFLINE", "NO SIGNAL")
	size := max(1, int(unit(w, h)*r.between(1.4, 3)))
	size = max(1, min(size, w/textWidth(text, 1)))
	x, y := (w-textWidth(text, size))/2, (h-7*size)/2
	if r.chance(0.3) { // it wanders
		x, y = r.IntN(max(1, w-textWidth(text, size))), r.IntN(h-8*size)
	}
	write(p, x, y, size, text, pick(r, white, white, color.RGBA{255, 240, 60, 255}))
	if r.chance(0.5) {
		small := max(1, size/2)
		write(p, 4*small, h-12*small, small, clock(r), white)
	}
	return compress(p, 85)
}

// halfJPEG ends in the middle of a row of blocks; what is missing is grey.
func halfJPEG(p *image.RGBA, r random) *image.RGBA {
	const size = 16
	w, h := p.Rect.Dx(), p.Rect.Dy()
	y := int(r.between(0.12, 0.62)*float64(h)) / size * size
	x := r.IntN(w) / size * size
	p = compress(p, 80)
	fill(p, image.Rect(x, y, w, y+size), flat)
	fill(p, image.Rect(0, y+size, w, h), flat)
	return p
}

// lostPackets each leave a slice that is grey, green, or of another moment.
func lostPackets(p *image.RGBA, r random) *image.RGBA {
	out := clone(p)
	size := pick(r, 16, 16, 32)
	w, down := p.Rect.Dx(), (p.Rect.Dy()+size-1)/size
	other := otherMoment(p, r)
	lost, want := 0, max(3, int(r.between(0.3, 0.55)*float64(down)))
	for lost < want {
		row, n := r.IntN(down), r.whole(1, 3)
		from := 0
		if r.chance(0.5) {
			from = int(r.between(0, 0.5)*float64(w)) / size * size
		}
		b := image.Rect(from, row*size, w, (row+n)*size)
		switch r.IntN(4) {
		case 0:
			fill(out, b, flat)
		case 1:
			fill(out, b, zeros)
		case 2:
			copyBlock(out, other, b, 0, 0)
		default: // the column above goes on
			for y := b.Min.Y; y < min(b.Max.Y, out.Rect.Max.Y); y++ {
				copyBlock(out, out, image.Rect(b.Min.X, y, b.Max.X, y+1), 0, max(b.Min.Y-1, 0)-y)
			}
		}
		lost += n
	}
	return out
}

// noKeyFrame shows on grey what has changed since a picture that never came.
func noKeyFrame(p *image.RGBA, r random) *image.RGBA {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	dx, dy := int(r.sign()*r.between(2, 7)*unit(w, h)), int(r.sign()*r.between(1, 5)*unit(w, h))
	before := clone(p)
	copyBlock(before, p, p.Rect, dx, dy)
	for i := range p.Pix {
		if i%4 != 3 {
			p.Pix[i] = uint8(min(max(128+int(p.Pix[i])-int(before.Pix[i]), 0), 255))
		}
	}
	return compress(p, 50)
}

// syncLost is an analogue picture whose lines begin anywhere, and which rolls.
func syncLost(p *image.RGBA, r random) *image.RGBA {
	out := clone(p)
	w, h := p.Rect.Dx(), p.Rect.Dy()
	roll := int(r.between(0.15, 0.85) * float64(h))
	bar := int(r.between(0.05, 0.12) * float64(h))
	sway, period, jitter := r.between(0.05, 0.25)*float64(w), r.between(0.15, 0.6)*float64(h), r.between(0.5, 4)*unit(w, h)
	phase := r.between(0, 2*math.Pi)
	blank := color.RGBA{8, 8, 8, 255}
	for y := range h {
		shift := int(sway*math.Sin(2*math.Pi*float64(y)/period+phase) + jitter*r.NormFloat64())
		for x := range w {
			c := blank
			if (y-roll+h)%h >= bar {
				c = p.RGBAAt(((x+shift)%w+w)%w, (y-roll+h)%h)
			}
			out.SetRGBA(x, y, c)
		}
	}
	return out
}
