package main

import (
	"strings"
	"testing"
)

// The examples of RFC 2617, 3.5, and RFC 7616, 3.9.1.
func TestDigest(t *testing.T) {
	for _, c := range []struct {
		password, challenge, cnonce string
		want                        []string
	}{
		{
			"Circle Of Life",
			`Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			"0a4f113b",
			[]string{`response="6629fae49393a05397450978507c4ef1"`, `opaque="5ccc069c403ebaf9f0171e9517f40e41"`, `nc=00000001`, `uri="/dir/index.html"`},
		},
		{
			"Circle of Life",
			`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
			[]string{`response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"`},
		},
		{ // as before there was a qop
			"Circle Of Life", `Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"`, "x",
			[]string{`response="670fd8c2df070c60b045671b8b24ff02"`},
		},
	} {
		l := login{user: "Mufasa", password: c.password}
		if !l.asked([]string{`Basic realm="x"`, `Digest algorithm=MD5-sess, nonce="x"`, c.challenge}) {
			t.Fatalf("%s is not understood", c.challenge)
		}
		l.count = 1
		got := l.digest("GET", "/dir/index.html", c.cnonce)
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s lacks %s", got, w)
			}
		}
	}
	var l login
	if l.asked(nil) || l.asked([]string{"Negotiate", "Digest algorithm=SHA-512-256"}) {
		t.Error("it would answer what it does not know")
	}
}
