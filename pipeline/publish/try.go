package publish

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// ErrLogin is wrapped by what Try gives if the broker wants another user name and password, or one at all.
var ErrLogin = errors.New("the broker wants another login")

// Try connects to the first broker of the options and leaves it again. Nothing is published there, and a daemon that
// is connected stays so.
func Try(ctx context.Context, o Options) error {
	o = o.withDefaults()
	o.ClientID += fmt.Sprintf("-try-%04x", rand.N(1<<16)) // a broker throws out the elder of two that have the same
	if len(o.Brokers) == 0 {
		return errors.New("no broker is configured: set mqtt.brokers")
	}
	u, err := parseBroker(o.Brokers[0])
	if err != nil {
		return err
	}
	s, err := (&Publisher{timing: defaultTiming}).connectTo(ctx, o, ctx, u)
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		return &plainError{err.Error(), ErrLogin}
	case err != nil:
		return err
	}
	s.clean = true // or its last will would say that the daemon is offline
	s.close()
	return nil
}
