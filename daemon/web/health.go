package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Health is for whoever restarts what is ill, and asks without a password: it names no camera and no broker.
//
//	                                  /healthz  /readyz
//	the daemon hangs                    503       503
//	no connection to the broker         200       503
//	no camera that should be is online  200       503
//	some cameras are offline            200       200
//	all cameras are paused              200       200
//
// A restart mends a daemon that hangs, and nothing else of these: only /healthz is for a watchdog. That a daemon is ready means that what a camera
// sees reaches subscribers now; while it is not, events wait on disk all the same.

// healthPatience is how long a daemon that is alive may be busy.
const healthPatience = 5 * time.Second

func (o *Options) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthPatience)
	defer cancel()
	if err := o.Alive(ctx); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func (o *Options) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthPatience)
	defer cancel()
	var missing []string
	if err := o.Alive(ctx); err != nil {
		missing = append(missing, err.Error())
	}
	v := o.View()
	if !v.Broker.Connected {
		missing = append(missing, "no connection to the broker")
	}
	wanted := slices.DeleteFunc(slices.Clone(v.Cameras), func(c Camera) bool { return c.Paused })
	if len(wanted) > 0 && !slices.ContainsFunc(wanted, func(c Camera) bool { return c.Online }) {
		missing = append(missing, "no camera is online")
	}
	if len(missing) > 0 {
		http.Error(w, strings.Join(missing, "\n"), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}
