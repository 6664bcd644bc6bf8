package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"time"
)

// The page, its style and its script, as they are: there is no build step.
//
//go:embed static
var static embed.FS

// serveFile gives one of them. A browser keeps it, and asks whether it is still that.
func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	b, err := static.ReadFile(path.Join("static", path.Base(name)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	sum := sha256.Sum256(b)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
}
