// Package wire is what tarsier and tarsier-capture say to each other over one Unix stream socket.
//
// A message is a byte that names its type, three zero bytes, the length of its body as four bytes, and the body: numbers
// of fixed width, little-endian, in the order of the Go struct's fields; text is a two-byte length and UTF-8. Only Pictures
// and JPEG carry more than a few kilobytes: their pixels come after the body, as long as the body says, so that
// both ends move them straight between the socket and where they belong.
//
// The child speaks first (Hello). The daemon asks (Open, Newest, Next, JPEG), one question at a time, and gets one answer
// (Opened, Pictures, Image or Fault). Between answers the child sends a Pulse each second, and a Fault with
// Pending false when the source ends or breaks while nobody asks. After a Fault the source is closed; Open opens it again.
//
// Everything that arrives is checked against the limits below before memory is taken for it.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Version is of this package's messages. Both programs come from one build, so it need only be equal.
const Version = 2

// Limits of what a message may hold.
const (
	MaxText     = 4096 // bytes of a source or of an error's message
	MaxName     = 64   // bytes of a camera's name
	MaxRegions  = 64   // regions of a camera
	MaxPictures = 256  // pictures of an answer: the tiles of all regions
	MinSize     = 16   // edge of a picture in pixels
	MaxSize     = 1024
	MaxPixels   = 64 << 20 // bytes that follow a body
	MaxWidth    = 1 << 15  // width and height of a camera's picture

	maxBody = 16 << 10
	head    = 8
)

// Fit is how a region of any shape becomes a square picture.
type Fit uint8

// The fits, named as in the config file.
const (
	Stretch Fit = iota // the region's width and height scaled each on its own
	Crop               // its central square
	Tiles              // overlapping squares that together cover it
)

// ParseFit reads a fit's name; the empty one is stretch.
func ParseFit(s string) (Fit, error) {
	switch s {
	case "", "stretch":
		return Stretch, nil
	case "crop":
		return Crop, nil
	case "tiles":
		return Tiles, nil
	}
	return 0, fmt.Errorf("fit %q: must be stretch, crop or tiles", s)
}

// Reason is what kind of fault ended a source.
type Reason uint8

// The reasons. What the daemon does next depends on nothing else.
const (
	ReasonBroken   Reason = iota + 1 // the stream broke off, or its pictures cannot be decoded
	ReasonEnd                        // a file is at its end
	ReasonMissing                    // there is no such device or file, or nobody answers at that address
	ReasonRefused                    // it is there, but the login or permission is refused
	ReasonUnusable                   // it was opened, and is nothing that can be read as pictures
	ReasonAgain                      // the stream goes on, and must be opened again: its clock falls behind ours, or its pictures have another size
	ReasonAsked                      // the question itself was wrong: nothing was opened, no picture was taken yet
	reasons
)

// Message is one of the types below.
type Message interface {
	// put appends the body.
	put(b []byte) []byte
	kind() byte
}

type (
	// Hello is the child's first message.
	Hello struct {
		Version uint16
		Build   string // the child's own version, for people
	}
	// Open asks for a source; the answer is Opened or a Fault.
	Open struct {
		Version uint16
		Name    string // the camera's, for the child's own log
		Source  string // with its credentials: this is the only way they take
		Loop    bool
		Every   bool // no picture left out, as fast as asked
		Fit     Fit
		Size    uint16
		Rate    uint16 // pictures a second that are wanted, if more than a camera is asked for otherwise
		Regions []Box
	}
	// Opened says that the source delivers: its first picture is decoded.
	Opened struct {
		Width, Height uint32 // of the source's pictures
		Total         uint32 // how many a file says it holds; 0: it does not, or it is no file
	}
	// Newest asks for the newest picture, newer than the last answered.
	Newest struct{}
	// Next asks for the picture after the last answered.
	Next struct{}
	// Pictures is the answer to both; Count squares of Size*Size*3 bytes of RGB follow it.
	Pictures struct {
		Age           time.Duration // since the picture was taken, at the time of sending
		Stream        time.Duration // the stream's own time stamp
		Width, Height uint32        // of the whole picture
		Size          uint16
		Regions       []uint16 // for every square the region it is of, ascending
	}
	// JPEG asks for the whole picture that the last answer was cut from, Width pixels wide (0, or more than it has: as it is).
	JPEG struct {
		Width uint32
	}
	// Image is the answer; Length bytes follow it.
	Image struct {
		Length uint32
	}
	// Pulse tells that the child is alive and whether pictures arrive.
	Pulse struct {
		Pictures uint64        // so far
		Idle     time.Duration // since the last of them, or since the source was asked for
	}
	// Fault is the answer that something failed.
	Fault struct {
		Pending bool // answers a question
		Reason  Reason
		Text    string // for people; credentials are out of it
	}
	// Box is a region: x, y, width and height as fractions of the picture.
	Box [4]float64
)

const (
	typeHello byte = iota + 1
	typeOpen
	typeOpened
	typeNewest
	typeNext
	typePictures
	typeJPEG
	typeImage
	typePulse
	typeFault
)

func (*Hello) kind() byte    { return typeHello }
func (*Open) kind() byte     { return typeOpen }
func (*Opened) kind() byte   { return typeOpened }
func (*Newest) kind() byte   { return typeNewest }
func (*Next) kind() byte     { return typeNext }
func (*Pictures) kind() byte { return typePictures }
func (*JPEG) kind() byte     { return typeJPEG }
func (*Image) kind() byte    { return typeImage }
func (*Pulse) kind() byte    { return typePulse }
func (*Fault) kind() byte    { return typeFault }

// Error makes a fault usable as one.
func (f *Fault) Error() string { return f.Text }

// Unwrap makes the end of a file an io.EOF.
func (f *Fault) Unwrap() error {
	if f.Reason == ReasonEnd {
		return io.EOF
	}
	return nil
}

var (
	le = binary.LittleEndian

	// ErrMalformed is wrapped by every error about a message that breaks the rules.
	ErrMalformed = errors.New("malformed message")
)

func (m *Hello) put(b []byte) []byte {
	return text(le.AppendUint16(b, m.Version), m.Build)
}

func (m *Open) put(b []byte) []byte {
	b = text(text(le.AppendUint16(b, m.Version), m.Name), m.Source)
	b = append(b, flag(m.Loop), flag(m.Every), byte(m.Fit))
	b = le.AppendUint16(b, m.Size)
	b = le.AppendUint16(b, m.Rate)
	b = le.AppendUint16(b, uint16(len(m.Regions)))
	for _, r := range m.Regions {
		for _, v := range r {
			b = le.AppendUint64(b, math.Float64bits(v))
		}
	}
	return b
}

func (m *Opened) put(b []byte) []byte {
	return le.AppendUint32(le.AppendUint32(le.AppendUint32(b, m.Width), m.Height), m.Total)
}

func (*Newest) put(b []byte) []byte { return b }
func (*Next) put(b []byte) []byte   { return b }

func (m *Pictures) put(b []byte) []byte {
	b = le.AppendUint64(b, uint64(m.Age))
	b = le.AppendUint64(b, uint64(m.Stream))
	b = le.AppendUint32(le.AppendUint32(b, m.Width), m.Height)
	b = le.AppendUint16(b, m.Size)
	b = le.AppendUint16(b, uint16(len(m.Regions)))
	for _, r := range m.Regions {
		b = le.AppendUint16(b, r)
	}
	return b
}

func (m *JPEG) put(b []byte) []byte  { return le.AppendUint32(b, m.Width) }
func (m *Image) put(b []byte) []byte { return le.AppendUint32(b, m.Length) }

func (m *Pulse) put(b []byte) []byte {
	return le.AppendUint64(le.AppendUint64(b, m.Pictures), uint64(m.Idle))
}

func (m *Fault) put(b []byte) []byte {
	return text(append(b, flag(m.Pending), byte(m.Reason)), m.Text[:min(len(m.Text), MaxText)])
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func text(b []byte, s string) []byte {
	return append(le.AppendUint16(b, uint16(len(s))), s...)
}

// Append adds a message, without the pixels that follow it, to b. It does not check it: what is sent is ours.
func Append(b []byte, m Message) []byte {
	start := len(b)
	b = append(b, m.kind(), 0, 0, 0, 0, 0, 0, 0)
	b = m.put(b)
	le.PutUint32(b[start+4:], uint32(len(b)-start-head))
	return b
}

// Decoder reads messages. It keeps one value of each type and one buffer, and takes no memory for messages whose text is empty.
type Decoder struct {
	r     io.Reader
	buf   []byte
	extra int // pixels that have not been read yet

	hello    Hello
	open     Open
	opened   Opened
	newest   Newest
	next     Next
	pictures Pictures
	jpeg     JPEG
	image    Image
	pulse    Pulse
	fault    Fault
}

// NewDecoder reads from r, which needs no buffer of its own.
func NewDecoder(r io.Reader) *Decoder {
	return &Decoder{r: r, buf: make([]byte, maxBody)}
}

// Extra is how many bytes of pixels follow the last message and were not yet read with Pixels.
func (d *Decoder) Extra() int { return d.extra }

// Pixels reads part of what follows the last message, exactly len(p) bytes.
func (d *Decoder) Pixels(p []byte) error {
	if len(p) > d.extra {
		return fmt.Errorf("%w: %d bytes of pixels wanted where %d follow", ErrMalformed, len(p), d.extra)
	}
	d.extra -= len(p)
	_, err := io.ReadFull(d.r, p)
	return unexpected(err)
}

// Read returns the next message; it is valid until the following call. Pixels that were left are skipped. io.EOF comes
// only between messages.
func (d *Decoder) Read() (Message, error) {
	for d.extra > 0 {
		if err := d.Pixels(d.buf[:min(d.extra, len(d.buf))]); err != nil {
			return nil, err
		}
	}
	if _, err := io.ReadFull(d.r, d.buf[:head]); err != nil {
		return nil, err
	}
	kind, length := d.buf[0], le.Uint32(d.buf[4:])
	if d.buf[1]|d.buf[2]|d.buf[3] != 0 {
		return nil, fmt.Errorf("%w: it starts with % x", ErrMalformed, d.buf[:head])
	}
	if length > maxBody {
		return nil, fmt.Errorf("%w: type %d with a body of %d bytes, more than %d", ErrMalformed, kind, length, maxBody)
	}
	body := d.buf[:length]
	if _, err := io.ReadFull(d.r, body); err != nil {
		return nil, unexpected(err)
	}
	m, err := d.decode(kind, &cursor{b: body})
	if err != nil {
		return nil, fmt.Errorf("%w: type %d: %w", ErrMalformed, kind, err)
	}
	return m, nil
}

// unexpected turns an end in the middle into what it is.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (d *Decoder) decode(kind byte, c *cursor) (Message, error) {
	var m Message
	switch kind {
	case typeHello:
		d.hello = Hello{Version: c.u16(), Build: c.text(MaxText)}
		m = &d.hello
	case typeOpen:
		o := &d.open
		*o = Open{Version: c.u16(), Name: c.text(MaxName), Source: c.text(MaxText), Loop: c.flag(), Every: c.flag(), Regions: o.Regions[:0]}
		o.Fit = Fit(c.limit(uint64(c.u8()), 0, uint64(Tiles), "fit"))
		o.Size = uint16(c.limit(uint64(c.u16()), MinSize, MaxSize, "size"))
		o.Rate = c.u16()
		for range c.limit(uint64(c.u16()), 1, MaxRegions, "number of regions") {
			o.Regions = append(o.Regions, c.box())
		}
		m = o
	case typeOpened:
		d.opened = Opened{Width: c.edge(), Height: c.edge(), Total: c.u32()}
		m = &d.opened
	case typeNewest:
		m = &d.newest
	case typeNext:
		m = &d.next
	case typePictures:
		p := &d.pictures
		*p = Pictures{Age: c.duration(), Stream: c.duration(), Width: c.edge(), Height: c.edge(), Regions: p.Regions[:0]}
		p.Size = uint16(c.limit(uint64(c.u16()), MinSize, MaxSize, "size"))
		n := c.limit(uint64(c.u16()), 1, MaxPictures, "number of pictures")
		for range n {
			p.Regions = append(p.Regions, uint16(c.limit(uint64(c.u16()), 0, MaxRegions-1, "region")))
		}
		d.extra = int(c.limit(n*uint64(p.Size)*uint64(p.Size)*3, 0, MaxPixels, "bytes of pixels"))
		m = p
	case typeJPEG:
		d.jpeg = JPEG{Width: uint32(c.limit(uint64(c.u32()), 0, MaxWidth, "width"))}
		m = &d.jpeg
	case typeImage:
		d.image = Image{Length: uint32(c.limit(uint64(c.u32()), 1, MaxPixels, "length"))}
		d.extra = int(d.image.Length)
		m = &d.image
	case typePulse:
		d.pulse = Pulse{Pictures: c.u64(), Idle: c.duration()}
		m = &d.pulse
	case typeFault:
		d.fault = Fault{Pending: c.flag(), Reason: Reason(c.limit(uint64(c.u8()), 1, uint64(reasons)-1, "reason")), Text: c.text(MaxText)}
		m = &d.fault
	default:
		return nil, errors.New("there is no such type")
	}
	if c.err == nil && len(c.b) > 0 {
		c.err = fmt.Errorf("%d bytes too many", len(c.b))
	}
	if c.err != nil {
		d.extra = 0
	}
	return m, c.err
}

// cursor takes numbers off the front of a body. After its first error it gives zeros.
type cursor struct {
	b   []byte
	err error
}

var zeros [8]byte

func (c *cursor) take(n int) []byte {
	if c.err == nil && len(c.b) < n {
		c.err = errors.New("it ends early")
	}
	if c.err != nil {
		return zeros[:n]
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) u8() uint8   { return c.take(1)[0] }
func (c *cursor) u16() uint16 { return le.Uint16(c.take(2)) }
func (c *cursor) u32() uint32 { return le.Uint32(c.take(4)) }
func (c *cursor) u64() uint64 { return le.Uint64(c.take(8)) }

func (c *cursor) limit(v, low, high uint64, what string) uint64 {
	if c.err == nil && (v < low || v > high) {
		c.err = fmt.Errorf("%s %d, not in [%d, %d]", what, v, low, high)
	}
	if c.err != nil {
		return 0
	}
	return v
}

func (c *cursor) flag() bool { return c.limit(uint64(c.u8()), 0, 1, "flag") == 1 }
func (c *cursor) edge() uint32 {
	return uint32(c.limit(uint64(c.u32()), 1, MaxWidth, "width or height"))
}

func (c *cursor) duration() time.Duration {
	return time.Duration(c.limit(c.u64(), 0, math.MaxInt64, "duration"))
}

func (c *cursor) text(most uint64) string {
	n := int(c.limit(uint64(c.u16()), 0, most, "length of a text"))
	if c.err == nil && len(c.b) < n {
		c.err = errors.New("it ends in a text")
	}
	if c.err != nil {
		return ""
	}
	s := string(c.b[:n])
	c.b = c.b[n:]
	return s
}

// box checks that a region is within the picture and not empty, but for rounding.
func (c *cursor) box() (b Box) {
	for i := range b {
		b[i] = math.Float64frombits(c.u64())
	}
	if c.err == nil {
		c.err = b.check()
	}
	return b
}

func (b Box) check() error {
	const slack = 1e-9
	x, y, w, h := b[0], b[1], b[2], b[3]
	// Written so that a NaN fails.
	if x >= 0 && y >= 0 && w > 0 && h > 0 && x+w <= 1+slack && y+h <= 1+slack {
		return nil
	}
	return fmt.Errorf("region %v is not within the picture", [4]float64(b))
}

// Check says what is wrong with a question before it is sent.
func (m *Open) Check() error {
	switch {
	case m.Source == "":
		return errors.New("the source is empty")
	case len(m.Source) > MaxText:
		return fmt.Errorf("the source is longer than %d bytes", MaxText)
	case len(m.Name) > MaxName:
		return fmt.Errorf("the camera's name is longer than %d bytes", MaxName)
	case m.Size < MinSize || m.Size > MaxSize:
		return fmt.Errorf("the picture size is %d, not in [%d, %d]", m.Size, MinSize, MaxSize)
	case len(m.Regions) == 0 || len(m.Regions) > MaxRegions:
		return fmt.Errorf("there are %d regions, not 1 to %d", len(m.Regions), MaxRegions)
	}
	for _, r := range m.Regions {
		if err := r.check(); err != nil {
			return err
		}
	}
	return nil
}
