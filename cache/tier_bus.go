package cache

import (
	"context"
	"errors"
	"strings"
	"time"
)

// tierListener has the near store forget what other regions have changed. What it does
// not hear ends with NearTTL, so that doubt is no reason to do anything.
type tierListener struct{ t *Tiered }

func (l tierListener) Doubt(bool) {}

var errTierQueue = errors.New("too many changes of other regions wait for the near store: some were dropped")

func (l tierListener) Changed(c Change) {
	key, ours := strings.CutPrefix(c.Space, tierSpace)
	if !ours {
		return
	}
	select {
	case l.t.forget <- key:
	default:
		l.t.failed(errTierQueue)
	}
}

// follow deletes from the near store. The region that made the change has seen to the
// far one.
func (t *Tiered) follow(ctx context.Context) {
	for {
		select {
		case key := <-t.forget:
			deleting, cancel := context.WithTimeout(ctx, time.Second)
			err := t.near.Delete(deleting, key, AnyVersion, 0)
			if cancel(); ctx.Err() == nil {
				t.failed(err)
			}
		case <-ctx.Done():
			return
		}
	}
}
