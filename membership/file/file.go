package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/latest"
)

// Config says which file to follow. Only Path is required.
type Config struct {
	// Path of the file. It may be a symbolic link, or lead through some.
	Path string

	// Interval between two readings; 0 means 1 s.
	Interval time.Duration

	// OnError is told why a change of the file was not taken over, once for each
	// content, and that the file cannot be read. It is called from one goroutine,
	// and must not close the source. nil: nobody is told.
	OnError func(error)
}

// Source is a membership.Source that follows a file. Make one with Open.
type Source struct {
	path   string
	report func(error)
	views  latest.Box[membership.View]
	stop   context.CancelFunc
	done   chan struct{} // closed when follow has ended

	// What follows belongs to follow.
	view    membership.View // last good one
	judged  []byte          // content that was taken over or refused last
	pending *reading        // of another content, seen once
	told    string          // why the file could not be read, as reported
}

var _ membership.Source = (*Source)(nil)

// Open reads the file and follows it until Close. It fails if the file cannot be
// read or what it says is wrong.
func Open(cfg Config) (*Source, error) {
	switch {
	case cfg.Path == "":
		return nil, errors.New("file: config Path: got nothing, want the path of a file")
	case cfg.Interval < 0:
		return nil, fmt.Errorf("file: config Interval: got %v, want 0 or more", cfg.Interval)
	case cfg.Interval == 0:
		cfg.Interval = time.Second
	}
	if cfg.OnError == nil {
		cfg.OnError = func(error) {}
	}
	following, stop := context.WithCancel(context.Background())
	s := &Source{path: cfg.Path, report: cfg.OnError, stop: stop, done: make(chan struct{})}
	first := read(cfg.Path)
	if first.err == nil {
		first.err = s.take(first.content)
	}
	if first.err != nil {
		stop()
		return nil, fmt.Errorf("file: %w", first.err)
	}
	go s.follow(following, cfg.Interval)
	return s, nil
}

// Next implements membership.Source.
func (s *Source) Next(ctx context.Context, after uint64) (membership.View, error) {
	return s.views.Next(ctx, after)
}

// Close implements membership.Source.
func (s *Source) Close() error {
	s.views.Close(membership.ErrClosed)
	s.stop()
	<-s.done
	return nil
}

func (s *Source) follow(ctx context.Context, interval time.Duration) {
	defer close(s.done)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.look(read(s.path))
		}
	}
}

// look takes one reading of the file.
func (s *Source) look(now reading) {
	before := s.pending
	s.pending = &now
	if now.err == nil && bytes.Equal(now.content, s.judged) {
		s.pending, s.told = nil, ""
		return
	}
	if before == nil || !before.same(now) {
		return // it may be in the middle of a change
	}
	if now.err != nil {
		if text := now.err.Error(); text != s.told {
			s.told = text
			s.report(fmt.Errorf("file: %w; the last good view stays", now.err))
		}
		return
	}
	s.pending, s.told = nil, ""
	if err := s.take(now.content); err != nil {
		s.report(fmt.Errorf("file: %w; the last good view stays", err))
	}
}

// take makes a view of a content and hands it out if it differs from the last.
// On an error that stays.
func (s *Source) take(content []byte) error {
	s.judged = content
	doc, err := parse(content)
	if err != nil {
		return s.placed(err)
	}
	first := s.view.Version == 0
	same := !first && slices.Equal(doc.members, s.view.Members)
	epoch := s.view.Epoch + 1
	switch {
	case doc.epoch == nil && same, doc.epoch != nil && same && doc.epoch.value == s.view.Epoch:
		return nil
	case doc.epoch != nil && !first && doc.epoch.value <= s.view.Epoch:
		return s.placed(doc.epoch.at.fault("epoch: got %d, want above %d, that of the last good view: the members have changed, or the epoch went back",
			doc.epoch.value, s.view.Epoch))
	case doc.epoch != nil:
		epoch = doc.epoch.value
	}
	view, err := membership.NewView(epoch, doc.members...)
	if err != nil {
		return err
	}
	// After Close nobody wants it.
	_ = s.views.Set(func(_ membership.View, version uint64) membership.View {
		view.Version = version
		return view
	})
	s.view = view
	return nil
}

// placed puts the path before an error that knows its line.
func (s *Source) placed(err error) error {
	var f *fault
	if errors.As(err, &f) {
		return fmt.Errorf("%s:%w", s.path, err)
	}
	return fmt.Errorf("%s: %w", s.path, err)
}
