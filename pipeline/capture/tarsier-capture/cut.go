package main

import (
	"image"

	"gocv.io/x/gocv"

	"tarsier/pipeline/capture/wire"
)

// jpegQuality is for people to look at, on a page and beside an event.
const jpegQuality = 85

// cutter makes the answer's pictures of a whole one. Its memory is taken once for a size of the whole picture.
type cutter struct {
	boxes []wire.Box
	fit   wire.Fit
	size  int

	whole  image.Point // what parts were computed for
	parts  []image.Rectangle
	head   wire.Pictures
	answer gocv.Mat   // all squares below each other, RGB
	views  []gocv.Mat // each of them
	pixels []byte     // of answer
	half   gocv.Mat   // shrunk along one axis
	square gocv.Mat   // resized, the channels as they came
	scaled gocv.Mat   // for JPEG
}

func (c *cutter) set(o *wire.Open) {
	c.free()
	c.boxes, c.fit, c.size = o.Regions, o.Fit, int(o.Size)
}

func (c *cutter) plan(w, h int) error {
	if c.whole == image.Pt(w, h) {
		return nil
	}
	c.free()
	c.head = wire.Pictures{Width: uint32(w), Height: uint32(h), Size: uint16(c.size), Regions: c.head.Regions[:0]}
	c.parts = c.parts[:0]
	for i, b := range c.boxes {
		c.parts = squares(c.parts, region(b, w, h), c.fit)
		for len(c.head.Regions) < len(c.parts) {
			c.head.Regions = append(c.head.Regions, uint16(i))
		}
	}
	n := len(c.parts)
	if n > wire.MaxPictures || n*c.size*c.size*3 > wire.MaxPixels {
		return fault(wire.ReasonUnusable, "the regions of a picture of %dx%d make %d squares, too many: use wider regions, or the fit stretch or crop", w, h, n)
	}
	c.answer = gocv.NewMatWithSize(n*c.size, c.size, gocv.MatTypeCV8UC3)
	c.half, c.square, c.scaled = gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	for i := range n {
		c.views = append(c.views, c.answer.Region(image.Rect(0, i*c.size, c.size, (i+1)*c.size)))
	}
	var err error
	c.pixels, err = c.answer.DataPtrUint8()
	c.whole = image.Pt(w, h)
	return err
}

func (c *cutter) free() {
	if c.whole == (image.Point{}) {
		return
	}
	for i := range c.views {
		c.views[i].Close()
	}
	c.views, c.pixels, c.whole = c.views[:0], nil, image.Point{}
	for _, m := range []*gocv.Mat{&c.answer, &c.half, &c.square, &c.scaled} {
		m.Close()
	}
}

// cut gives the message and the pixels that follow it; both are valid until the next call.
func (c *cutter) cut(m gocv.Mat) (*wire.Pictures, []byte, error) {
	code, err := toRGB(m)
	if err != nil {
		return nil, nil, err
	}
	if err := c.plan(m.Cols(), m.Rows()); err != nil {
		return nil, nil, err
	}
	for i, r := range c.parts {
		part := m.Region(r) // shares m's pixels
		c.resize(part, &c.views[i], code)
		part.Close()
	}
	return &c.head, c.pixels, nil
}

// resize scales each axis as suits it: INTER_AREA, the mean of what a pixel covers, where it shrinks, and INTER_LINEAR
// where it grows. The colours are turned around last, when there are fewest of them.
func (c *cutter) resize(src gocv.Mat, dst *gocv.Mat, code gocv.ColorConversionCode) {
	w, h, size := src.Cols(), src.Rows(), c.size
	to := image.Pt(size, size)
	switch {
	case w == size && h == size:
		gocv.CvtColor(src, dst, code)
		return
	case w >= size && h >= size:
		gocv.Resize(src, &c.square, to, 0, 0, gocv.InterpolationArea)
	case w <= size && h <= size:
		gocv.Resize(src, &c.square, to, 0, 0, gocv.InterpolationLinear)
	default:
		gocv.Resize(src, &c.half, image.Pt(min(w, size), min(h, size)), 0, 0, gocv.InterpolationArea)
		gocv.Resize(c.half, &c.square, to, 0, 0, gocv.InterpolationLinear)
	}
	gocv.CvtColor(c.square, dst, code)
}

// jpeg encodes a picture that was cut before; the caller closes the buffer.
func (c *cutter) jpeg(m gocv.Mat, width int) (*gocv.NativeByteBuffer, error) {
	if c.whole != image.Pt(m.Cols(), m.Rows()) {
		return nil, fault(wire.ReasonAsked, "a JPEG was asked for of a picture that could not be cut")
	}
	if width > 0 && width < m.Cols() {
		height := max(1, (m.Rows()*width+m.Cols()/2)/m.Cols())
		gocv.Resize(m, &c.scaled, image.Pt(width, height), 0, 0, gocv.InterpolationArea)
		m = c.scaled
	}
	return gocv.IMEncodeWithParams(gocv.JPEGFileExt, m, []int{gocv.IMWriteJpegQuality, jpegQuality})
}

// toRGB is the conversion that a source's pictures need. OpenCV's sources give BGR unless a pipeline was told otherwise; a conversion
// that does not fit would end the process.
func toRGB(m gocv.Mat) (gocv.ColorConversionCode, error) {
	switch m.Type() {
	case gocv.MatTypeCV8UC3:
		return gocv.ColorBGRToRGB, nil
	case gocv.MatTypeCV8UC1:
		return gocv.ColorGrayToBGR, nil
	case gocv.MatTypeCV8UC4:
		return gocv.ColorRGBAToBGR, nil // turns BGRA to RGB just as well
	}
	return 0, fault(wire.ReasonUnusable, "its pictures are not 8 bits deep; let the pipeline end in `videoconvert ! video/x-raw,format=BGR ! appsink`")
}
