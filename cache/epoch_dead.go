package cache

import "context"

// An entry of an earlier epoch lies where it did, for keys do not have the epoch in
// them, and a store compares versions with it: it knows of no epochs. So where versions
// begin anew, as in a source that was restored from a copy, it would keep out what is
// loaded now for as long as it lives. It is removed when it has refused something: as by
// Invalidate, with the hold-off, since a replica may still lag behind it. What guards
// within the epoch stays: a newer entry, and a hold-off, which ends by itself.

// dropDead is called for keys whose entries have refused an older version.
func (s *Space[K, V]) dropDead(ctx context.Context, keys ...storeKey) {
	if s.epochs == nil {
		return
	}
	atOnce(len(keys), func(i int) {
		k := keys[i]
		there, err := s.m.cfg.Store.Get(ctx, k.text)
		if err != nil || k.noEpoch {
			return
		}
		if e, err := decodeEnvelope(there.Value, s.cfg.Schema, k.identity); err == nil && e.epoch != k.epoch {
			s.storeFailed(ctx, s.storeDelete(ctx, k.text, AnyVersion, s.cfg.Life.HoldOff))
		}
	})
}
