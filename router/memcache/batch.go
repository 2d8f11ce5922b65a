package memcache

// Result is the outcome of one request of a batch: a Response, or an error.
type Result struct {
	Response       // with StatusNone if Err is not nil
	Err      error // a *ServerError, *NoReplyError or *InputError, as of a request by itself
}

// A batch is one flight of requests that are sent together, numbered by their
// opaque, with an mn behind them. Replies come in the order of the requests;
// where the requests are quiet, those that succeeded in the expected way are
// silent, and the mn tells that all have been dealt with.
type batch struct {
	results []Result
	want    []Return // flags that a reply about the item must have, for each request
	quiet   bool
	silence Status // what it means when a quiet request was not answered
	next    int    // the first request that nothing is known of yet
	errors  []*ServerError
}

// take gives one reply to a batch. It returns the result that the reply is for;
// nil: for none, or not known yet.
func (b *batch) take(k *call, r *reply, line []byte) (*Result, error) {
	if r.failure != nil {
		if err := outOfStep(k.command, r.failure); err != nil {
			return nil, err
		}
		// Error lines carry no opaque. Whose it is will be seen when the next
		// reply that does comes in.
		b.errors = append(b.errors, r.failure)
		if len(b.errors) > len(b.results)-b.next {
			return nil, violation("more errors than requests", line)
		}
		return nil, nil
	}
	if r.Status == statusNoop {
		return nil, b.settle(len(b.results), line)
	}
	tag, ok := parseUint(r.opaque, uint64(len(b.results)-1))
	if !ok || int(tag) < b.next {
		return nil, violation("an opaque that is not due", line)
	}
	if err := expected(k.command, b.want[tag], r, line); err != nil {
		return nil, err
	}
	if err := b.settle(int(tag), line); err != nil {
		return nil, err
	}
	b.next = int(tag) + 1
	return &b.results[tag], nil
}

// settle gives an outcome to the requests before until that had no reply with
// their number.
func (b *batch) settle(until int, line []byte) error {
	gap := b.results[b.next:until]
	b.next = until
	failures := b.errors
	b.errors = nil
	if len(failures) > len(gap) || !b.quiet && len(failures) < len(gap) {
		return violation("too few or too many replies to a batch", line)
	}
	for i := range gap {
		switch {
		case len(failures) == 0:
			gap[i].Status = b.silence
		case len(failures) == len(gap):
			gap[i].Err = failures[i]
		default:
			// Silence and errors: which is whose cannot be told.
			ambiguous := *failures[0]
			ambiguous.Ambiguous = true
			gap[i].Err = &ambiguous
		}
	}
	return nil
}
