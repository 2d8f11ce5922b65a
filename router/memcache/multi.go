package memcache

import (
	"context"
	"sync"
)

const (
	// A batch is sent in flights: within one, replies are counted with their
	// requests, so that a flight that has lost its connection costs no more
	// than itself, and what others send meanwhile is not held up for long.
	maxFlight      = 256
	maxFlightBytes = 256 << 10
	maxFlights     = 4 // of one batch under way at a time
)

// MetaGetMulti sends many mg in flights, quietly: only the hits are answered. It
// returns a Result for each request, in their order, and the first error among
// them. Nothing is sent, and no Result returned, if one of the requests is
// refused.
func (c *Client) MetaGetMulti(ctx context.Context, requests []GetRequest) ([]Result, error) {
	if c.over != nil {
		return eachOver(ctx, requests, c.MetaGet)
	}
	return runBatch(ctx, c, requests, kind[GetRequest]{
		command: commandGet, quiet: true, silence: StatusMiss,
		want:   func(r *GetRequest) Return { return r.Return },
		encode: func(dst []byte, r *GetRequest, tag int, _ bool) ([]byte, error) { return c.get(dst, r, tag) },
	})
}

// MetaSetMulti is MetaGetMulti for ms. The requests are quiet, so that only
// those that were not stored are answered, unless one of them has a Return.
//
// The server does not say which request an error line is about. Where others
// around it were carried out in silence, all that it can be about have the
// error, marked as Ambiguous.
func (c *Client) MetaSetMulti(ctx context.Context, requests []SetRequest) ([]Result, error) {
	if c.over != nil {
		return eachOver(ctx, requests, c.MetaSet)
	}
	quiet := true
	for i := range requests {
		quiet = quiet && requests[i].Return&setReturns == 0
	}
	return runBatch(ctx, c, requests, kind[SetRequest]{
		command: commandSet, quiet: quiet, silence: StatusOK,
		want: func(r *SetRequest) Return { return r.Return & setReturns },
		encode: func(dst []byte, r *SetRequest, tag int, whole bool) ([]byte, error) {
			dst, err := c.set(dst, r, tag, quiet)
			if err == nil && whole {
				dst = append(append(dst, r.Value...), crlf...)
			}
			return dst, err
		},
	})
}

// MetaDeleteMulti is MetaGetMulti for md. Every request is answered: whether
// silence means that a key was deleted, or was not there either, depends on the
// version of the server.
func (c *Client) MetaDeleteMulti(ctx context.Context, requests []DeleteRequest) ([]Result, error) {
	if c.over != nil {
		return eachOver(ctx, requests, c.MetaDelete)
	}
	return runBatch(ctx, c, requests, kind[DeleteRequest]{
		command: commandDelete,
		want:    func(r *DeleteRequest) Return { return r.Return & deleteReturns },
		encode:  func(dst []byte, r *DeleteRequest, tag int, _ bool) ([]byte, error) { return c.delete(dst, r, tag) },
	})
}

// A kind is what differs between batches of different commands.
type kind[R any] struct {
	command command
	quiet   bool
	silence Status // the outcome of a quiet request without a reply
	want    func(*R) Return
	encode  func(dst []byte, r *R, tag int, whole bool) ([]byte, error) // whole: with the data block
}

// runBatch sends requests in flights, no more than maxFlights at a time, and
// gathers their results.
func runBatch[R any](ctx context.Context, c *Client, requests []R, of kind[R]) ([]Result, error) {
	if len(requests) == 0 {
		return nil, nil
	}
	var scratch []byte
	for i := range requests {
		var err error
		if scratch, err = of.encode(scratch[:0], &requests[i], i%maxFlight, false); err != nil {
			return nil, err
		}
	}
	f, rest := fill(c, requests, of)
	if len(rest) == 0 { // as nearly always
		f.fly(ctx, c)
		return f.results, f.err
	}
	var flights []*flight
	var running sync.WaitGroup
	places := make(chan struct{}, maxFlights)
	launch := func(f *flight) {
		flights = append(flights, f)
		running.Go(func() {
			f.fly(ctx, c)
			<-places
		})
	}
	places <- struct{}{}
	launch(f)
	for len(rest) > 0 {
		places <- struct{}{} // before fill, which takes memory
		f, rest = fill(c, rest, of)
		launch(f)
	}
	running.Wait()
	results, first := make([]Result, 0, len(requests)), error(nil)
	for _, f := range flights {
		results = append(results, f.results...)
		if first == nil {
			first = f.err
		}
	}
	return results, first
}

// fill makes a flight of the first requests and returns the others.
func fill[R any](c *Client, requests []R, of kind[R]) (f *flight, rest []R) {
	k := c.newCall(of.command)
	n := 0
	for n < len(requests) && n < maxFlight && len(k.line) < maxFlightBytes {
		k.line, _ = of.encode(k.line, &requests[n], n, true) // cannot fail: it did not before
		n++
	}
	k.line = append(k.line, "mn\r\n"...)
	k.batch = &batch{results: make([]Result, n), want: make([]Return, n), quiet: of.quiet, silence: of.silence}
	for i := range n {
		k.batch.want[i] = of.want(&requests[i])
	}
	return &flight{call: k}, requests[n:]
}

// A flight is a part of a batch that travels as one call.
type flight struct {
	call    *call
	results []Result
	err     error // the first of the results' errors
}

func (f *flight) fly(ctx context.Context, c *Client) {
	b := f.call.batch
	size := len(b.results)
	own, err := c.do(ctx, f.call, size)
	known := 0
	if own {
		f.results, known = b.results, b.next
		f.call.free()
	} else {
		// Those of an abandoned flight belong to the connection.
		f.results = make([]Result, size)
	}
	f.err = err
	for i := range f.results {
		r := &f.results[i]
		if err != nil && i >= known {
			*r = Result{Err: err}
		}
		if f.err == nil {
			f.err = r.Err
		}
	}
}
