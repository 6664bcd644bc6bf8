package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tarsier/pipeline"
	"tarsier/pipeline/capture"
	"tarsier/pipeline/publish"
)

// tryPatience is how long a camera may take for its first pictures.
const tryPatience = 30 * time.Second

func (s *setup) askCamera() error {
	attached, err := attachedCameras()
	if err != nil {
		return err
	}
	s.say("1. Which camera?")
	for i, a := range attached {
		s.say("   %d  %s (%s)", i+1, a.path, a.card)
	}
	enter := ""
	if len(attached) > 0 {
		enter = "1"
		s.say("   Or an address, or the path of a video.")
	} else {
		s.say("   None is attached. Give the address of one, or the path of a video.")
		s.say("   `tarsier cameras` knows the addresses of common brands.")
	}
	s.say("   Such as rtsp://user:password@192.168.1.20/stream2")
	for {
		answer, err := s.ask("Camera", enter)
		if err != nil {
			return err
		}
		c := setupCamera{Source: answer}
		if n, err := strconv.Atoi(answer); err == nil {
			if n < 1 || n > len(attached) {
				s.say("There is no camera %d.", n)
				continue
			}
			c.Source = attached[n-1].path
		} else if isFile(answer) {
			if c.Source, err = filepath.Abs(answer); err != nil {
				return err
			}
			st, err := os.Stat(c.Source)
			if err != nil && !strings.Contains(answer, "/") {
				s.say("There is no such file here. The address of a network camera begins with rtsp:// or http://.")
				continue
			}
			c.Loop = err == nil && st.Mode().IsRegular()
		}
		c.Name = cameraName(c.Source)
		s.file.Cameras = []setupCamera{c}
		_, plans, err := s.file.check(s.model)
		if err != nil {
			s.say("It cannot be used: %v", err)
			continue
		}
		if good, err := s.tryCamera(plans[0].source); err != nil {
			return err
		} else if !good {
			continue
		}
		if capture.Redact(c.Source) != c.Source {
			s.say("Its password is kept in the config (%v).", s.owner)
		}
		return nil
	}
}

// isFile says whether a source is the path of a file or device.
func isFile(source string) bool {
	return !strings.Contains(source, "://") && !strings.HasPrefix(source, "csi:") && !strings.HasPrefix(source, "gst:")
}

var noName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// cameraName makes a name of the host's or the file's. Those of devices, and
// addresses of numbers, change.
func cameraName(source string) string {
	name := ""
	if u, err := url.Parse(source); err == nil && u.Host != "" {
		if net.ParseIP(u.Hostname()) == nil {
			name, _, _ = strings.Cut(u.Hostname(), ".")
		}
	} else if isFile(source) && !strings.HasPrefix(source, "/dev/") {
		name = strings.TrimSuffix(filepath.Base(source), filepath.Ext(source))
	}
	name = strings.Trim(noName.ReplaceAllString(name, "-"), "-")
	if name == "" {
		return "camera"
	}
	return name[:min(len(name), 64)]
}

// tryCamera opens a camera as the daemon does, and says what it shows. It
// returns whether that is the one that is wanted.
func (s *setup) tryCamera(source cameraSource) (bool, error) {
	s.say("Opening %s ...", capture.Redact(source.source))
	frame, top, err := s.look(source)
	if s.ctx.Err() != nil {
		return false, errLeft
	}
	if err != nil {
		s.say("It does not work: %v", err)
		if s.service && strings.HasPrefix(source.source, "/dev/") && systemctl(s.ctx, "is-active", "tarsier.service") == nil {
			s.say("The service runs, and may have it open.")
		}
		return s.yes("Take it all the same? It may only be off now.", false)
	}
	var seen []string
	for _, label := range top {
		seen = append(seen, fmt.Sprintf("%s %.2f", label.Label, label.Score))
	}
	s.say("It works: %dx%d pixels. The model sees: %s.", frame.Width, frame.Height, strings.Join(seen, ", "))
	if strings.HasPrefix(source.source, "rtsp") && frame.Width*frame.Height > 1280*720 {
		s.say("That is more than is looked at, and the board has to decode it. Most cameras")
		s.say("have a smaller stream as well (sub-stream), at an address such as /stream2,")
		s.say("/Streaming/Channels/102, ?subtype=1 or _sub: see the camera's settings.")
		return s.yes("Take this one?", true)
	}
	return true, nil
}

// look classifies some of the first pictures: the very first may be dark.
func (s *setup) look(source cameraSource) (frame capture.Frame, top []pipeline.Score, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, tryPatience)
	defer cancel()
	o := s.child
	o.Name, o.Source, o.Loop = "setup", source.source, source.loop
	o.Fit, o.Regions, o.Size = source.fit, source.regions, source.size
	session, err := capture.Open(ctx, o)
	if err != nil {
		return frame, nil, err
	}
	defer session.Close()
	runner := s.model.engine.NewRunner()
	defer runner.Close()
	for n := range 5 {
		if err := session.Newest(ctx, &frame); err != nil {
			if n > 0 {
				break // a picture is a short video
			}
			return frame, nil, err
		}
		if err := runner.Run(frame.Pictures[0].RGB); err != nil {
			return frame, nil, err
		}
		top = pipeline.Best(s.model.labels, runner.Scores(), 3)
	}
	return frame, top, nil
}

const localBroker = "tcp://localhost:1883"

func (s *setup) askBroker() error {
	s.say("2. Which MQTT broker?")
	enter := ""
	if conn, err := net.DialTimeout("tcp", "localhost:1883", time.Second); err == nil {
		conn.Close()
		enter = localBroker
		s.say("   One runs on this machine. Or give the address of another.")
	} else {
		s.say("   None runs on this machine (`sudo apt install mosquitto` adds one, which is")
		s.say("   then localhost). Give the address of another.")
	}
	s.say("   Such as 192.168.1.5, or ssl://broker.example:8883")
	for {
		answer, err := s.ask("Broker", enter)
		if err != nil {
			return err
		}
		s.file.MQTT.Brokers = []string{brokerURL(answer)}
		if _, _, err := s.file.check(s.model); err != nil {
			s.say("It cannot be used: %v", err)
			continue
		}
		if good, err := s.tryBroker(s.file.MQTT.Brokers[0]); err != nil {
			return err
		} else if good {
			if s.file.MQTT.Brokers[0] == localBroker {
				s.file.MQTT.Brokers = nil // the default
			}
			return nil
		}
	}
}

// brokerURL completes what people write for a broker.
func brokerURL(answer string) string {
	scheme, rest, ok := strings.Cut(answer, "://")
	switch {
	case !ok:
		scheme, rest = "tcp", answer
	case scheme == "mqtt":
		scheme = "tcp"
	case scheme == "mqtts":
		scheme = "ssl"
	}
	if u, err := url.Parse(scheme + "://" + rest); err == nil && scheme == "tcp" && u.Hostname() != "" && u.Port() == "" && !strings.HasSuffix(u.Host, ":") {
		u.Host += ":1883"
		return u.String()
	}
	return scheme + "://" + rest
}

// tryBroker connects, with a user name and a password if those are wanted. It
// returns whether that is the broker to take.
func (s *setup) tryBroker(broker string) (bool, error) {
	user, password := "", ""
	for {
		s.say("Connecting to %s ...", broker)
		err := s.connect(broker, user, password)
		if s.ctx.Err() != nil {
			return false, errLeft
		}
		switch {
		case err == nil:
			s.say("It works.")
		case !errors.Is(err, publish.ErrLogin):
			s.say("It does not work: %v", err)
			if take, err := s.yes("Take it all the same? Events wait until it answers.", false); err != nil || !take {
				return false, err
			}
		default:
			if user == "" {
				s.say("It wants a user name and a password.")
			} else {
				s.say("It refuses that user name and password.")
			}
			const another = "another broker"
			if user, err = s.ask("User name", another); err != nil {
				return false, err
			}
			if user == another {
				return false, nil
			}
			if password, err = s.secret("Password"); err != nil {
				return false, err
			}
			continue
		}
		if user != "" {
			s.mqttPassword = password
			s.file.MQTT.Username = user
			s.file.MQTT.PasswordFile = filepath.Join(filepath.Dir(s.path), "mqtt.password")
		}
		return true, nil
	}
}

// connect tries a login, whose password is in a file for no longer than that.
func (s *setup) connect(broker, user, password string) error {
	o := publish.Options{Node: "setup", Brokers: []string{broker}, Username: user}
	if password != "" {
		f, err := os.CreateTemp("", "tarsier-setup-*")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		_, err = f.WriteString(password + "\n")
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		o.PasswordFile = f.Name()
	}
	return publish.Try(s.ctx, o)
}

// askPage offers the page to other devices. Enter is no, on a board without a
// screen too: whoever presses Enter all the way has not asked for an open port.
// (Nor could it be told: sudo hides SSH_CONNECTION.)
func (s *setup) askPage() error {
	s.say("The page with what the cameras see is for this machine only. With a password,")
	s.say("which is made now, other devices of this network can open it as well. If this")
	s.say("machine has no screen, that is what you want.")
	open, err := s.yes("Open it to other devices?", false)
	if err != nil || !open {
		return err
	}
	// Base32 has neither 0 nor 1, so nothing can be misread; 16 letters are 80 bits.
	text := strings.ToLower(rand.Text())
	s.httpPassword = strings.Join([]string{text[:4], text[4:8], text[8:12], text[12:16]}, "-")
	s.file.HTTP = setupHTTP{Listen: "0.0.0.0" + pagePort, PasswordFile: filepath.Join(filepath.Dir(s.path), "http.password")}
	return nil
}
