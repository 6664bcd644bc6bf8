package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A camera is what the daemon is told to watch.
type camera struct {
	name, source string
	loop         bool
	only         []string // labels that make events; none: all
	shows        []string // labels that it is sure to show in time; none: one or the other
}

// findCameras takes the two videos of the test data or, where there are none,
// serves the photographs as two cameras. The function it returns ends that.
func findCameras(data string) ([]camera, func(), error) {
	var found []camera
	for _, v := range []camera{
		{name: "bottle", only: []string{"water bottle"}},
		{name: "car", only: []string{"cab", "minivan", "limousine", "sports car", "minibus", "police van"}},
	} {
		path, err := filepath.Abs(filepath.Join(data, "videos", v.name+".mp4"))
		if err != nil {
			return nil, nil, err
		}
		if _, err := os.Stat(path); err == nil {
			v.source, v.loop = path, true
			found = append(found, v)
		}
	}
	if len(found) > 0 {
		return found, func() {}, nil
	}
	photos, _ := filepath.Glob(filepath.Join(data, "photos", "*.jpg"))
	if len(photos) == 0 {
		return nil, nil, fmt.Errorf("no videos and no photos/*.jpg in %s: ./deploy/get-models %s downloads some", data, data)
	}
	return servePhotos(photos)
}

// What the photographs' cameras look like.
const (
	photoWidth, photoHeight = 640, 480
	photoRate               = 10              // pictures per second
	photoTime               = 4 * time.Second // each photograph
)

// servePhotos shows the photographs one after the other, over and over, as two
// cameras. The second is one photograph ahead of the first.
func servePhotos(paths []string) ([]camera, func(), error) {
	var frames [][]byte
	for _, path := range paths {
		frame, err := photo(path)
		if err != nil {
			return nil, nil, fmt.Errorf("photograph %s: %w", path, err)
		}
		frames = append(frames, frame)
	}
	var shows []show
	for ahead, name := range []string{"left", "right"} {
		shows = append(shows, show{name: name, rate: photoRate, frame: func(after time.Duration) []byte {
			return frames[(int(after/photoTime)+ahead)%len(frames)]
		}})
	}
	return serve(shows)
}

// A show is a camera that is served as MJPEG over HTTP.
type show struct {
	name   string
	labels []string // that it is sure to show
	rate   int      // pictures per second
	frame  func(after time.Duration) []byte
}

// serve begins with the shows when they are first looked at.
func serve(shows []show) ([]camera, func(), error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("serve the cameras' pictures: %w", err)
	}
	start := sync.OnceValue(time.Now)
	mux := http.NewServeMux()
	var found []camera
	for _, s := range shows {
		mux.HandleFunc("/"+s.name+".mjpg", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
			tick := time.NewTicker(time.Second / time.Duration(s.rate))
			defer tick.Stop()
			for {
				frame := s.frame(time.Since(start()))
				if _, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(frame), frame); err != nil {
					return
				}
				select {
				case <-tick.C:
				case <-r.Context().Done():
					return
				}
			}
		})
		found = append(found, camera{name: s.name, source: fmt.Sprintf("http://%s/%s.mjpg", listener.Addr(), s.name), shows: s.labels})
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{Handler: mux, BaseContext: func(net.Listener) context.Context { return ctx }}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "demo: the cameras' server:", err)
		}
	}()
	return found, func() {
		cancel()
		_ = server.Close()
		<-ended
	}, nil
}

// photo reads a JPEG and gives it back in the cameras' size.
func photo(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	from, err := jpeg.Decode(f)
	if err != nil {
		return nil, err
	}
	b := from.Bounds()
	to := image.NewRGBA(image.Rect(0, 0, photoWidth, photoHeight))
	for y := range photoHeight {
		for x := range photoWidth {
			to.Set(x, y, from.At(b.Min.X+x*b.Dx()/photoWidth, b.Min.Y+y*b.Dy()/photoHeight))
		}
	}
	return encode(to), nil
}
