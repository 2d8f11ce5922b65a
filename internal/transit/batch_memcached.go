package transit

import (
	"context"
	"errors"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

// ReserveFenced looks at many keys of N for a mover, and whether it is let in: if
// not, there are no looks.
//
// Where nothing is, it leaves an open tombstone that lives for CopyLimit, so that
// the server itself refuses the copy when that time is over: Store takes the place
// of that very tombstone. A mover that is stopped between two steps, for however
// long, so finds its way barred. The fence is asked for after that; if it lets the
// mover in, it did so less than CopyLimit before whatever still arrives.
func (m Memcached) ReserveFenced(ctx context.Context, f Fence, keys ...string) (looks []MemcachedLook, fenced bool, err error) {
	if fenced, err = m.Fenced(ctx, f); err != nil || !fenced { // leave nothing where it is not wanted
		return nil, false, err
	}
	at := time.Now()
	reserve := make([]memcache.SetRequest, len(keys))
	for i, key := range keys {
		reserve[i] = m.reservation(key)
	}
	results, err := m.Client.MetaSetMulti(ctx, reserve)
	if len(results) != len(keys) {
		return nil, false, err
	}
	looks = make([]MemcachedLook, len(keys))
	var taken []memcache.GetRequest
	var places []int
	for i, r := range results {
		switch {
		case r.Err != nil && isServerError(r.Err): // no room
			looks[i] = MemcachedLook{At: at, Refused: r.Err}
		case r.Err != nil:
			return nil, false, r.Err
		case r.Status == memcache.StatusOK:
			looks[i] = MemcachedLook{At: at, Tombstone: true, Kind: Open, CAS: r.CAS}
		default:
			request := LookRequest(keys[i])
			request.EncodeKey = m.EncodeKey
			taken, places = append(taken, request), append(places, i)
		}
	}
	if len(taken) > 0 {
		results, err := m.Client.MetaGetMulti(ctx, taken)
		if err != nil {
			return nil, false, err
		}
		for j, r := range results {
			looks[places[j]] = LookOf(at, &r.Response)
		}
	}
	fenced, err = m.Fenced(ctx, f)
	return looks, fenced, err
}

// TakeAll reads items of O.
func (m Memcached) TakeAll(ctx context.Context, keys ...string) ([]MemcachedValue, error) {
	requests := make([]memcache.GetRequest, len(keys))
	for i, key := range keys {
		requests[i] = TakeRequest(key)
		requests[i].EncodeKey = m.EncodeKey
	}
	results, err := m.Client.MetaGetMulti(ctx, requests)
	if err != nil {
		return nil, err
	}
	values := make([]MemcachedValue, len(keys))
	for i := range results {
		values[i] = ValueOf(keys[i], &results[i].Response)
	}
	return values, nil
}

// StoreAll writes at N what TakeAll read at O; looks are those of ReserveFenced,
// from before that. The error is the first that is about more than one item.
func (m Memcached) StoreAll(ctx context.Context, looks []MemcachedLook, values []MemcachedValue) ([]Result, error) {
	outcomes := make([]Result, len(values))
	var requests []memcache.SetRequest
	var places []int
	oldest := time.Now()
	for i, v := range values {
		r, outcome := StoreRequest(looks[i], v)
		switch {
		case outcome == Copied && looks[i].Refused != nil:
			outcomes[i] = Result{Refused, looks[i].Refused}
		case outcome == Copied && !looks[i].Tombstone: // what was there has just gone
			outcomes[i].Outcome = Blocked
		case outcome != Copied:
			outcomes[i].Outcome = outcome
		default:
			r.EncodeKey = m.EncodeKey
			requests, places = append(requests, r), append(places, i)
			if looks[i].At.Before(oldest) {
				oldest = looks[i].At
			}
		}
	}
	if len(requests) == 0 {
		return outcomes, nil
	}
	ctx, cancel := context.WithDeadline(ctx, oldest.Add(CopyLimit))
	defer cancel()
	results, err := m.Client.MetaSetMulti(ctx, requests)
	if len(results) != len(requests) {
		return outcomes, err
	}
	for j, r := range results {
		switch i := places[j]; {
		case r.Err == nil:
			outcomes[i].Outcome = Stored(r.Status)
		case isServerError(r.Err):
			outcomes[i] = Result{Refused, r.Err}
		default:
			return outcomes, r.Err
		}
	}
	return outcomes, nil
}

// RemoveAll removes at O what is still as TakeAll read it.
func (m Memcached) RemoveAll(ctx context.Context, values ...MemcachedValue) ([]Result, error) {
	outcomes := make([]Result, len(values))
	var requests []memcache.DeleteRequest
	var places []int
	for i, v := range values {
		if outcomes[i].Outcome = v.State; v.State == 0 {
			requests = append(requests, memcache.DeleteRequest{Key: v.Item.Key, EncodeKey: m.EncodeKey, CompareCAS: v.Item.CAS})
			places = append(places, i)
		}
	}
	if len(requests) == 0 {
		return outcomes, nil
	}
	results, err := m.Client.MetaDeleteMulti(ctx, requests)
	if err != nil {
		return outcomes, err
	}
	for j, r := range results {
		outcomes[places[j]].Outcome = removed(r.Status)
	}
	return outcomes, nil
}

func isServerError(err error) bool {
	var said *memcache.ServerError
	return errors.As(err, &said)
}
