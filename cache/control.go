package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Control is what an operator sets for a space in all processes that have
// SpaceConfig.Controls: see SetControl.
type Control struct {
	Bypass Bypass    // what they leave out; BypassNothing: nothing more than they do by themselves
	Until  time.Time // when it ends by itself, by the clocks of the processes; 30 days from now at most
}

const (
	controlMark = '$' // of its key: no field begins with it, and see logMark

	controlPoll = time.Second // how often each process looks
	controlLong = 24 * time.Hour

	// magic 4 · bypass 1 · until 8 (ms since 1970, big endian)
	controlMagic = "rwk1"
	controlSize  = 4 + 1 + 8
)

// ControlKey returns the key under which the control of a space lies in the store.
// The space is named with its schema, as in Stats: "svc:user/3".
func ControlKey(space string) string { return space + "/" + string(controlMark) }

// SetControl has all processes with the space do as c says, a second later at most,
// and as long as they reach the store: one that does not goes on as it did. The space
// is named with its schema, as in Stats: "svc:user/3". Until 0 means a day from now.
// What was set before is replaced.
func SetControl(ctx context.Context, store Store, space string, c Control) error {
	now := time.Now()
	if c.Until.IsZero() {
		c.Until = now.Add(controlLong)
	}
	left := c.Until.Sub(now)
	switch {
	case !validSpace(space):
		return configError("space", fmt.Sprintf("%.80q", space), `a name and a schema, such as "svc:user/3"`)
	case c.Bypass > BypassAll:
		return configError("Control.Bypass", c.Bypass, "nothing, fleet or all")
	case left <= 0 || left > maxTTL:
		return configError("Control.Until", c.Until, "a time in the next 30 days")
	}
	value := append([]byte(controlMagic), byte(c.Bypass))
	value = binary.BigEndian.AppendUint64(value, uint64(c.Until.UnixMilli()))
	if _, err := store.Set(ctx, ControlKey(space), Entry{Value: value, TTL: left}); err != nil {
		return fmt.Errorf("cache: control of %s: %w", space, err)
	}
	return nil
}

// GetControl returns what SetControl has set, and false if there is nothing.
func GetControl(ctx context.Context, store Store, space string) (Control, bool, error) {
	if !validSpace(space) {
		return Control{}, false, configError("space", fmt.Sprintf("%.80q", space), `a name and a schema, such as "svc:user/3"`)
	}
	e, err := store.Get(ctx, ControlKey(space))
	switch {
	case errors.Is(err, ErrMiss):
		return Control{}, false, nil
	case err != nil:
		return Control{}, false, fmt.Errorf("cache: control of %s: %w", space, err)
	}
	c, whole := decodeControl(e.Value)
	return c, whole && time.Now().Before(c.Until), nil
}

// decodeControl takes bytes from outside: what is not whole is none.
func decodeControl(value []byte) (Control, bool) {
	if len(value) != controlSize || string(value[:4]) != controlMagic || Bypass(value[4]) > BypassAll {
		return Control{}, false
	}
	return Control{Bypass: Bypass(value[4]), Until: milli(value[5:])}, true
}

// validSpace says whether a text is the name of a space with a schema.
func validSpace(space string) bool {
	for i := len(space) - 1; i > 0; i-- {
		if space[i] == '/' {
			schema, err := strconv.ParseUint(space[i+1:], 10, 32)
			return err == nil && strconv.FormatUint(schema, 10) == space[i+1:] && nameForm.MatchString(space[:i])
		}
		if space[i] < '0' || space[i] > '9' {
			return false
		}
	}
	return false
}

// keepControl looks for the control of the space, once a second, until the manager is
// closed. Where the store does not answer what was known goes on until its end.
func (s *Space[K, V]) keepControl() {
	tick := time.NewTicker(controlPoll)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(s.m.ctx, controlPoll)
		c, found, err := GetControl(ctx, s.m.cfg.Store, s.name)
		cancel()
		switch {
		case err != nil:
			s.storeFailed(s.m.ctx, err)
		case found:
			s.control.Store(&c)
		default:
			s.control.Store(nil)
		}
		select {
		case <-tick.C:
		case <-s.m.ctx.Done():
			return
		}
	}
}
