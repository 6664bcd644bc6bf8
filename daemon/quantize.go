package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"tarsier/mnv2/float"
	"tarsier/mnv2/onnx"
	"tarsier/mnv2/quantize"
	"tarsier/mnv2/safetensors"
	"tarsier/mnv2/tflite"
)

func quantizeCommand() *cobra.Command {
	var o quantizeOptions
	c := &cobra.Command{
		Use:   "quantize MODEL --calibrate PICTURES|VIDEO|CAMERA... --out FILE",
		Short: "Make an int8 model of a float32 one, calibrated on your own pictures",
		Long: `Make an int8 model of a float32 MobileNetV2, of any width: a .tflite, .onnx or .safetensors file.

The pictures it is calibrated on should be like those that it is to see: --calibrate takes picture files, folders of
them, videos, cameras (all that a config's source may be), and cameras of the config by their names. They are cut
and resized as the daemon would, and at most --pictures are taken, spread evenly. Of a camera it is one each second, and
Ctrl-C goes on with those that there are. One in five is held out, to compare the int8 model with the float32 one on.

What cannot be read is reported and left out, and the exit status is 1.`,
		Example: `  tarsier quantize birds.onnx --calibrate photos/ --out birds_int8.tflite
  tarsier quantize birds.safetensors --calibrate garden.mp4 --calibrate rtsp://10.0.0.7/stream1 --out birds_int8.tflite
  tarsier quantize birds_float.tflite --calibrate porch --config my.yaml --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.model = args[0]
			o.calibrate = append(o.calibrate, args[1:]...) // a shell's *.jpg is one value of the flag, and the rest here
			o.stdout, o.stderr = c.OutOrStdout(), c.ErrOrStderr()
			return o.run(c.Context())
		},
	}
	c.Flags().StringArrayVar(&o.calibrate, "calibrate", nil, "`SOURCE` of the pictures: files, folders, videos, cameras; may be given again")
	c.Flags().StringVar(&o.out, "out", "", "where to write the int8 model; a `FILE` that is there is replaced (default: MODEL's name and _int8.tflite, beside it)")
	c.Flags().IntVar(&o.pictures, "pictures", 100, "how many pictures to take at most, those that are held out included; a frame with N regions or tiles counts N")
	c.Flags().StringVar(&o.fit, "fit", "", "how a picture meets the model's square: stretch, crop or tiles (default: as the camera's, or stretch)")
	c.Flags().StringVar(&o.normalization, "normalization", "", "what the model takes a pixel for: imagenet (ImageNet's mean and deviation) or symmetric (-1..1) (default: what the file says, else symmetric for .tflite and for .onnx of Keras, whose channels come last, imagenet for other .onnx and .safetensors)")
	c.Flags().BoolVar(&o.json, "json", false, "print the report as one JSON object")
	configFlag(c, &o.config)
	_ = c.MarkFlagFilename("out", "tflite")
	return c
}

type quantizeOptions struct {
	model, out, fit, normalization, config string
	calibrate                              []string
	pictures                               int
	json                                   bool
	stdout, stderr                         io.Writer
}

const (
	// heldOut is every how many'th frame is kept from the calibration.
	heldOut = 5
	// leastHeldOut is how many there have to be for one in heldOut to be told from chance, if only just.
	leastHeldOut = 20
	// leastInterrupted are enough to go on with where Ctrl-C ends the taking of pictures.
	leastInterrupted = 8
	// flatRange is less than a colour's brightest and darkest byte differ by in a picture that shows something.
	flatRange = 24
	// worstLayers are named in the report.
	worstLayers = 5
)

// run does the command. What can be wrong is found before the work.
func (o *quantizeOptions) run(ctx context.Context) error {
	switch o.fit {
	case "", "stretch", "crop", "tiles":
	default:
		return usagef("--fit is %q; it must be stretch, crop or tiles", o.fit)
	}
	if o.pictures < 1 {
		return usagef("--pictures is %d; it must be at least 1", o.pictures)
	}
	if len(o.calibrate) == 0 {
		return usagef("no pictures to calibrate with: name some that are like those the model is to see, with --calibrate: files, folders, videos or cameras")
	}
	net, err := o.load()
	if err != nil {
		return err
	}
	sources, err := findPictures(o.calibrate, o.fit, o.config)
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out = strings.TrimSuffix(o.model, filepath.Ext(o.model)) + "_int8.tflite"
	}
	if err := o.keepInput(); err != nil {
		return err
	}
	out, err := newOutFile(o.out)
	if err != nil {
		return err
	}
	defer out.discard()

	enough, endEnough := ctx, func() {}
	if slices.ContainsFunc(sources, func(s pictureSource) bool { return s.live }) {
		var stop func()
		ctx, enough, endEnough, stop = twoInterrupts(ctx)
		defer stop()
	}
	g := &gatherer{size: net.Size, interval: time.Second, stderr: o.stderr}
	shots, err := g.gather(ctx, enough, sources, o.pictures)
	if err != nil {
		return errors.New("interrupted; nothing was written")
	}
	if enough.Err() != nil && len(shots) < leastInterrupted {
		return fmt.Errorf("interrupted after %s, and there must be %d; nothing was written", counted(len(shots), "frame"), leastInterrupted)
	}
	endEnough() // a Ctrl-C from here on ends the command
	if len(shots) == 0 {
		if g.failed {
			return errors.New("none of the pictures could be read, so there is nothing to calibrate with; nothing was written")
		}
		return errors.New("there were no pictures to calibrate with; nothing was written")
	}
	calibration, held := split(shots)

	began := time.Now()
	p := &progress{stderr: o.stderr}
	data, report, err := interruptible(ctx, func() ([]byte, *quantized, error) { return o.quantize(net, calibration, held, p) })
	p.end()
	if err != nil {
		return err
	}
	report.Seconds = time.Since(began).Seconds()
	if err := out.write(func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
		return err
	}
	report.Warnings = append(doubts(calibration, held), report.Warnings...)
	for _, w := range report.Warnings {
		fmt.Fprintf(o.stderr, "tarsier: warning: %s\n", w)
	}
	if err := report.print(o.stdout, o.json); err != nil {
		return err
	}
	if g.failed {
		return errReported
	}
	return nil
}

// load reads the model.
func (o *quantizeOptions) load() (*float.Network, error) {
	readers := map[string]func(string) (*float.Network, error){".tflite": tflite.LoadFloat, ".onnx": onnx.Load, ".safetensors": safetensors.Load}
	read := readers[strings.ToLower(filepath.Ext(o.model))]
	if read == nil {
		return nil, usagef("the model is %s; it must be a .tflite, .onnx or .safetensors file, and stand before what is calibrated with; other formats can be exported to ONNX", o.model)
	}
	net, err := read(o.model)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &usageError{err}
	}
	if err != nil {
		return nil, err
	}
	switch o.normalization {
	case "":
	case "imagenet":
		net.Pixels = float.ImageNet
	case "symmetric":
		net.Pixels = float.Symmetric
	default:
		return nil, usagef("--normalization is %q; it must be imagenet or symmetric", o.normalization)
	}
	return net, nil
}

// keepInput refuses to write over what is read.
func (o *quantizeOptions) keepInput() error {
	out, err := os.Stat(o.out)
	if err != nil {
		return nil
	}
	for _, path := range append([]string{o.model}, o.calibrate...) {
		if in, err := os.Stat(path); err == nil && os.SameFile(in, out) {
			return usagef("--out is %s, which is read: name another file", o.out)
		}
	}
	return nil
}

// split holds out one shot in five, and gives the pictures of both. Of few it
// holds out none.
func split(shots []shot) (calibration, held [][]byte) {
	for i, s := range shots {
		if len(shots) >= leastHeldOut && i%heldOut == heldOut/2 {
			held = append(held, s...)
		} else {
			calibration = append(calibration, s...)
		}
	}
	return calibration, held
}

// quantize makes the int8 file, and compares what is in it with the float
// network.
func (o *quantizeOptions) quantize(net *float.Network, calibration, held [][]byte, p *progress) ([]byte, *quantized, error) {
	opts := quantize.Options{Progress: p.show}
	q, err := quantize.Quantize(net, calibration, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("quantize %s: %w", o.model, err)
	}
	data, err := tflite.Write(q, tflite.Options{})
	if err != nil {
		return nil, nil, err
	}
	if q, err = tflite.Read(data); err != nil {
		return nil, nil, fmt.Errorf("read back what was made of %s: %w", o.model, err)
	}
	facts, err := q.Facts()
	if err != nil {
		return nil, nil, err
	}
	compared := held
	if len(held) == 0 {
		compared = calibration
	}
	compare, err := quantize.Compare(net, q, compared, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("compare %s with what was made of it: %w", o.model, err)
	}
	r := &quantized{
		Model: o.model, Out: o.out, WidthMult: facts.WidthMult, Size: facts.Size, Classes: facts.Classes, Normalization: normalizationName(net.Pixels),
		BytesAfter: int64(len(data)), Calibrated: len(calibration), HeldOut: len(held),
		Agreement: compare.Agreement, ScoreError: compare.ScoreError, Warnings: compare.Warnings,
	}
	if info, err := os.Stat(o.model); err == nil {
		r.BytesBefore = info.Size()
	}
	for _, l := range compare.Layers {
		r.Layers = append(r.Layers, quantizedLayer{l.Name, l.SNR})
	}
	return data, r, nil
}

// doubts are what is wrong with the pictures, if anything is.
func doubts(calibration, held [][]byte) []string {
	warnings := []string{}
	flat := 0
	for _, p := range calibration {
		if isFlat(p) {
			flat++
		}
	}
	const means = "what the network does with them says little of what it does with pictures that show something"
	switch {
	case flat > 0 && flat == len(calibration):
		warnings = append(warnings, "the pictures it was calibrated on are all of one colour, as of a dark or covered camera: "+means+
			", so that the int8 model will be of little use: give others, like those that it is to see")
	case flat > 0:
		warnings = append(warnings, fmt.Sprintf("%d of the %d pictures it was calibrated on are of one colour, as of a dark or covered camera: %s: leave them out",
			flat, len(calibration), means))
	}
	if len(held) == 0 {
		warnings = append(warnings, fmt.Sprintf("of fewer than %d frames none is held out: the comparison is on those of the calibration, and flatters", leastHeldOut))
	}
	return warnings
}

// isFlat says whether an RGB picture is of one colour.
func isFlat(rgb []byte) bool {
	low, high := [3]byte{255, 255, 255}, [3]byte{}
	for i, v := range rgb {
		low[i%3], high[i%3] = min(low[i%3], v), max(high[i%3], v)
	}
	for c := range low {
		if high[c]-low[c] >= flatRange {
			return false
		}
	}
	return true
}

func normalizationName(n float.Normalization) string {
	switch n {
	case float.ImageNet:
		return "imagenet"
	case float.Symmetric:
		return "symmetric"
	}
	return fmt.Sprintf("mean %v, deviation %v", n.Mean, n.Std)
}

// quantized is the report, and what --json prints.
type quantized struct {
	Model         string           `json:"model"`
	Out           string           `json:"out"`
	WidthMult     float64          `json:"width_mult"`
	Size          int              `json:"size"`
	Classes       int              `json:"classes"` // 0: a feature extractor
	Normalization string           `json:"normalization"`
	BytesBefore   int64            `json:"bytes_before"`
	BytesAfter    int64            `json:"bytes_after"`
	Calibrated    int              `json:"calibrated"`  // pictures
	HeldOut       int              `json:"held_out"`    // of 0 the comparison is on the others
	Agreement     float64          `json:"agreement"`   // see quantize.Report
	ScoreError    float64          `json:"score_error"` // see quantize.Report
	Layers        []quantizedLayer `json:"layers"`
	Warnings      []string         `json:"warnings"`
	Seconds       float64          `json:"seconds"`
}

// A quantizedLayer says how exact a layer is.
type quantizedLayer struct {
	Name string  `json:"name"`
	SNR  float64 `json:"snr_db"`
}

func (r *quantized) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	what := "a feature extractor"
	if r.Classes > 0 {
		what = fmt.Sprintf("%d classes", r.Classes)
	}
	fmt.Fprintf(w, "%s: width_mult %v, %dx%d, %s, normalization %s\n", filepath.Base(r.Model), r.WidthMult, r.Size, r.Size, what, r.Normalization)
	compared, on := r.HeldOut, fmt.Sprintf("%d others", r.HeldOut)
	if compared == 0 {
		compared, on = r.Calibrated, "the same"
	}
	fmt.Fprintf(w, "calibrated on %s, compared with the float32 model on %s, in %.0f s\n", counted(r.Calibrated, "picture"), on, r.Seconds)
	if r.Classes > 0 {
		fmt.Fprintf(w, "  the same best label  %.1f %% (%.0f of %d)\n", 100*r.Agreement, r.Agreement*float64(compared), compared)
		fmt.Fprintf(w, "  its score is off by  %.3f (mean)\n", r.ScoreError)
	} else {
		fmt.Fprintf(w, "  cosine of the embeddings  %.4f (mean)\n", r.Agreement)
	}
	worst := slices.Clone(r.Layers)
	slices.SortStableFunc(worst, func(a, b quantizedLayer) int { return cmp.Compare(a.SNR, b.SNR) })
	if len(worst) > 0 {
		fmt.Fprintf(w, "signal to noise of %d layers: %.1f to %.1f dB, half of them above %.1f; the worst:\n", len(worst), worst[0].SNR, worst[len(worst)-1].SNR, worst[len(worst)/2].SNR)
		for _, l := range worst[:min(worstLayers, len(worst))] {
			fmt.Fprintf(w, "  %5.1f dB  %s\n", l.SNR, l.Name)
		}
	}
	fmt.Fprintf(w, "wrote %s: %.1f MB, of %.1f\n", r.Out, float64(r.BytesAfter)/1e6, float64(r.BytesBefore)/1e6)
	_, err := fmt.Fprintln(w, r.next())
	return err
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// next says what to do with the file.
func (r *quantized) next() string {
	if r.Classes == 0 {
		return "It has no classifier, and so nothing that the daemon could tell; Go programs run it with package mnv2."
	}
	labels := filepath.Join(filepath.Dir(r.Out), "labels.txt")
	if _, err := os.Stat(labels); err == nil {
		return fmt.Sprintf("Try it: tarsier classify --model %s PICTURE. To run it, name its folder as model.dir in the config.", r.Out)
	}
	return fmt.Sprintf("Put %s beside it, a line for each of the %d classes, and try it: tarsier classify --model %s PICTURE. To run it, name its folder as model.dir in the config.",
		labels, r.Classes, r.Out)
}

// A progress shows how far each stage of the work is.
type progress struct {
	stderr io.Writer

	mu    sync.Mutex
	stage string
	bar   *bar
	done  int
	over  bool
}

func (p *progress) show(stage string, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	if p.bar == nil || stage != p.stage {
		p.clear()
		p.stage, p.bar, p.done = stage, newBar(p.stderr, stage), 0
		p.bar.more(total)
	}
	for ; p.done < done; p.done++ {
		p.bar.add()
	}
}

func (p *progress) clear() {
	if p.bar != nil {
		p.bar.clear()
	}
}

// end shows nothing any more.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.over = true
}

// twoInterrupts gives a context that the first Ctrl-C ends, or endFirst, and one
// that the next does, or SIGTERM. The command's own is of no use for that: it
// ends at the first of any.
func twoInterrupts(parent context.Context) (all, first context.Context, endFirst, stop func()) {
	all, endAll := context.WithCancel(context.WithoutCancel(parent))
	first, endFirst = context.WithCancel(all)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for {
			select {
			case s := <-signals:
				if s == os.Interrupt && first.Err() == nil {
					endFirst()
					continue
				}
				endAll()
			case <-all.Done():
			}
			return
		}
	}()
	return all, first, endFirst, func() {
		signal.Stop(signals)
		endAll()
	}
}

// interruptible leaves f alone when ctx ends: it cannot be stopped, but
// the program ends then.
func interruptible[A, B any](ctx context.Context, f func() (A, B, error)) (a A, b B, err error) {
	done := make(chan struct{})
	var fa A
	var fb B
	var ferr error
	go func() {
		defer close(done)
		fa, fb, ferr = f()
	}()
	select {
	case <-done:
		return fa, fb, ferr
	case <-ctx.Done():
		return a, b, errors.New("interrupted; nothing was written")
	}
}
