package cameratest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// A Clip is a piece of video as a camera sends it.
type Clip struct {
	SPS, PPS []byte     // the parameter sets
	Units    [][][]byte // pictures, each a list of NAL units; the first is a key frame
}

// ReadClip takes the first H.264 pictures out of the first track of an MP4 file (ISO/IEC 14496-12 and -15).
func ReadClip(path string, pictures int) (c *Clip, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil { // a slice beyond its end: a file for tests is worth no more care
			c, err = nil, fmt.Errorf("%s: %v", path, r)
		}
	}()
	be := binary.BigEndian
	table := box(b, "moov", "trak", "mdia", "minf", "stbl")
	avcC := box(box(table, "stsd")[8+8+78:], "avcC")
	if avcC == nil {
		return nil, errors.New(path + ": the first track is not H.264")
	}
	width := int(avcC[4]&3) + 1
	n := int(be.Uint16(avcC[6:]))
	pps := avcC[8+n+3:]
	c = &Clip{SPS: avcC[8 : 8+n], PPS: pps[:be.Uint16(avcC[8+n+1:])]}

	sizes, chunks, runs := box(table, "stsz")[12:], box(table, "stco")[8:], box(table, "stsc")[8:]
	perChunk := 0
	for i := 0; i*4 < len(chunks); i++ {
		if len(runs) > 0 && int(be.Uint32(runs)) == i+1 {
			perChunk, runs = int(be.Uint32(runs[4:])), runs[12:]
		}
		at := int(be.Uint32(chunks[i*4:]))
		for range perChunk {
			if len(c.Units) == pictures {
				return c, nil
			}
			sample := b[at : at+int(be.Uint32(sizes))]
			at, sizes = at+len(sample), sizes[4:]
			var unit [][]byte
			for len(sample) > 0 {
				n := 0
				for _, v := range sample[:width] {
					n = n<<8 | int(v)
				}
				unit, sample = append(unit, sample[width:width+n]), sample[width+n:]
			}
			c.Units = append(c.Units, unit)
		}
	}
	return c, nil
}

// box is the content of the first box on a path; nil where there is none.
func box(b []byte, path ...string) []byte {
	for _, name := range path {
		for {
			if len(b) < 8 {
				return nil
			}
			n, found := int(binary.BigEndian.Uint32(b)), string(b[4:8]) == name
			if found {
				b = b[8:n]
				break
			}
			b = b[n:]
		}
	}
	return b
}
