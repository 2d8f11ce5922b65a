package membership

import (
	"context"
	"errors"

	"github.com/ringway/ringway/membership/internal/latest"
)

// ErrClosed is returned by a Source that was closed.
var ErrClosed = errors.New("membership: source closed")

// Source delivers views of the fleet. It is safe for concurrent use, by any
// number of readers, each at its own pace: a slow one skips views, and always
// gets the newest.
type Source interface {
	// Next returns the newest view, as soon as its Version is above after: at
	// once for after 0, unless no view is known yet. It fails when ctx ends, and
	// with ErrClosed once the source is closed.
	Next(ctx context.Context, after uint64) (View, error)

	// Close ends whatever the source runs, and every Next. It may be called
	// twice.
	Close() error
}

// Static returns a source whose fleet never changes. Members without a kind are
// Redis servers, without a state active, without a weight of weight 1.
func Static(members ...Member) (Source, error) {
	m, err := NewManual(members...)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Manual is a Source that the program sets itself. Make one with NewManual.
type Manual struct {
	views latest.Box[View]
}

// NewManual returns a source whose first view has these members. It copies
// them, and fails for members without an address or that no placement takes.
func NewManual(members ...Member) (*Manual, error) {
	m := new(Manual)
	if err := m.Set(members...); err != nil {
		return nil, err
	}
	return m, nil
}

// Set replaces the members: the next view has the next version and the next
// epoch. On an error nothing has changed.
func (m *Manual) Set(members ...Member) error {
	prepared, err := prepare(members)
	if err != nil {
		return err
	}
	return m.views.Set(func(old View, version uint64) View {
		return View{Version: version, Epoch: old.Epoch + 1, Members: prepared}
	})
}

// Next implements Source.
func (m *Manual) Next(ctx context.Context, after uint64) (View, error) {
	return m.views.Next(ctx, after)
}

// Close implements Source.
func (m *Manual) Close() error {
	m.views.Close(ErrClosed)
	return nil
}
