package cache

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Over how many channels a RedisBus spreads its messages, and so over how many
// nodes at most. Part of the protocol: all processes must listen where others tell.
const redisBusChannels = 4

// NewRedisBus returns a bus over Redis's publish and subscribe, for all processes
// that share the client's fleet and the name, which is 1 to 64 letters, digits, ':',
// '.', '_' and '-'. The client, such as a *router.Redis, stays the caller's, and
// must stay open until the manager is closed. It needs the right to channels
// "NAME:bus:*".
//
// Each process sends a digest of 30 bytes a channel every BusConfig.Digest, and
// receives those of all.
func NewRedisBus(client redis.UniversalClient, name string, cfg BusConfig) (*SequencedBus, error) {
	if isNil(client) {
		return nil, configError("client", fmt.Sprintf("nil (%T)", client), "a client")
	}
	if !nameForm.MatchString(name) {
		return nil, configError("name", fmt.Sprintf("%.80q", name), "1 to 64 letters, digits, ':', '.', '_' or '-'")
	}
	w := &redisWire{client: client, index: make(map[string]int)}
	for i := range redisBusChannels {
		w.names = append(w.names, name+":bus:"+strconv.Itoa(i))
		w.index[w.names[i]] = i
	}
	return NewBus(w, cfg)
}

// redisWire is a Wire.
type redisWire struct {
	client redis.UniversalClient
	names  []string
	index  map[string]int // of each name
}

func (w *redisWire) Channels() int { return len(w.names) }

func (w *redisWire) Send(ctx context.Context, channel int, message []byte) error {
	if err := w.client.Publish(ctx, w.names[channel], message).Err(); err != nil {
		return fmt.Errorf("cache: bus: publish: %w", err)
	}
	return nil
}

// Receive hands on messages. Redis keeps none: whatever is told while there is no
// subscription is lost. There is one again when it is confirmed.
func (w *redisWire) Receive(ctx context.Context, r Receiver) {
	sub := w.client.Subscribe(ctx, w.names...)
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })() // nothing else ends a Receive
	defer sub.Close()
	for pause := 10 * time.Millisecond; ; {
		msg, err := sub.Receive(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.Broken()
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 10 * time.Millisecond
		switch msg := msg.(type) {
		case *redis.Subscription: // the first, or made anew
			r.Broken()
		case *redis.Message:
			if i, found := w.index[msg.Channel]; found {
				r.Message(i, []byte(msg.Payload))
			}
		}
	}
}
