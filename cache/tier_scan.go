package cache

import (
	"context"
	"errors"
	"time"
)

// abilities is a Store that has methods which it can do something with only if the
// stores below it can.
type abilities interface {
	tags() bool
	scans() bool
}

func (t *Tiered) tags() bool {
	_, tags := t.far.(Tagger)
	return tags
}

func (t *Tiered) scans() bool {
	_, near := t.near.(Scanner)
	_, far := t.far.(Scanner)
	return near && far
}

func (t *Tiered) layers() []Store { return []Store{t.far, t.near} }

// ScanKeys implements Scanner, if both stores do: the keys of the far store, and then
// those of the near one, so that most come twice. Near stores of other regions are not
// gone through.
func (t *Tiered) ScanKeys(ctx context.Context, prefix string, batch func(keys []string) error) error {
	if !t.scans() {
		return ErrUnsupported
	}
	if err := t.far.(Scanner).ScanKeys(ctx, prefix, batch); err != nil {
		return err
	}
	return t.near.(Scanner).ScanKeys(ctx, prefix, batch)
}

// DeleteMany implements Scanner, as Delete: the far store first.
func (t *Tiered) DeleteMany(ctx context.Context, keys []string, holdOff time.Duration) []error {
	errs := deleteMany(ctx, t.far, keys, holdOff)
	if ctx.Err() != nil { // the near one must follow
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
	}
	for i, err := range deleteMany(ctx, t.near, keys, holdOff) {
		errs[i] = errors.Join(errs[i], err)
		t.tell(keys[i])
	}
	return errs
}

func deleteMany(ctx context.Context, s Store, keys []string, holdOff time.Duration) []error {
	if scanner, scans := s.(Scanner); scans {
		return scanner.DeleteMany(ctx, keys, holdOff)
	}
	errs := make([]error, len(keys))
	atOnce(len(keys), func(i int) { errs[i] = s.Delete(ctx, keys[i], AnyVersion, holdOff) })
	return errs
}
