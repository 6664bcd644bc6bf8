package wire

import (
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"rtsp://10.0.0.7/stream1":                                                       "rtsp://10.0.0.7/stream1",
		"rtsp://10.0.0.7:554/stream1?channel=1":                                         "rtsp://10.0.0.7:554/stream1?channel=1",
		"/dev/video0":                                                                   "/dev/video0",
		"/srv/videos/keys at home.mp4":                                                  "/srv/videos/keys at home.mp4",
		"rtsp://admin:secret@10.0.0.7/1":                                                "rtsp://***@10.0.0.7/1",
		"rtsp://admin@10.0.0.7/1":                                                       "rtsp://***@10.0.0.7/1",
		"rtsp://admin:sec@ret@10.0.0.7/1":                                               "rtsp://***@10.0.0.7/1",
		"rtsp://admin:sec/ret@10.0.0.7/1":                                               "rtsp://***@10.0.0.7/1",
		"rtsp://admin:se?cr#et@10.0.0.7/1":                                              "rtsp://***@10.0.0.7/1",
		"rtsp://admin:secret/a@b@10.0.0.7/1":                                            "rtsp://***@10.0.0.7/1",
		"http://cam/v.cgi?user=admin&pwd=secret&res=1":                                  "http://cam/v.cgi?user=***&pwd=***&res=1",
		"http://cam/v.cgi?res=1&access_token=secret#x":                                  "http://cam/v.cgi?res=1&access_token=***",
		"http://cam/v.cgi?loginuse=admin&loginpas=secret":                               "http://cam/v.cgi?loginuse=***&loginpas=***",
		"http://cam/v?Password=secret":                                                  "http://cam/v?Password=***",
		"rtsp://cam/user=admin_password=secret_ch=1.sdp":                                "rtsp://cam/user=***",
		`gst:rtspsrc location=rtsp://cam/1 user-id=admin user-pw="sec ret" ! decodebin`: `gst:rtspsrc location=rtsp://cam/1 user-id=*** user-pw=*** ! decodebin`,
		"[rtsp @ 0x55] Unable to open rtsp://u:secret@h/1, giving up":                   "[rtsp @ 0x55] Unable to open rtsp://***@h/1, giving up",
		`two: "rtsp://u:secret@a/1" and 'http://u:secret@b/2'`:                          `two: "rtsp://***@a/1" and 'http://***@b/2'`,
		"Authorization: Basic YWRtaW46c2VjcmV0":                                         "Authorization: Basic ***",
		`Authorization: Digest username="secret", realm="x", response="secret"`:         `Authorization: Digest username=***, realm="x", response=***`,
	} {
		got := Redact(in)
		if got != want {
			t.Errorf("%s\nbecomes %s\nnot     %s", in, got, want)
		}
		if again := Redact(got + ": failed"); again != want+": failed" {
			t.Errorf("twice: %s", again)
		}
	}
}

// FuzzRedact: where a URL's userinfo has a secret, no message that quotes the URL shows it.
func FuzzRedact(f *testing.F) {
	f.Add("cannot open ", "admin", ", giving up")
	f.Add("x@", "a:b@c", "@y")
	f.Fuzz(func(t *testing.T, before, user, after string) {
		const secret = "T0pS3cret"
		if strings.ContainsAny(user, " \t\r\n\v\f\"'<>/?#") || strings.Contains(before+after, secret) {
			t.Skip()
		}
		if got := Redact(before + "rtsp://" + user + ":" + secret + "@host/1" + after); strings.Contains(got, secret) {
			t.Errorf("%q", got)
		}
	})
}
