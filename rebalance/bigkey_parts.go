package rebalance

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/failpoint"
)

const (
	partBytes    = 256 << 10 // of values in one part, as far as their average tells
	partElements = 1000      // in one part
)

// sendParts sends a key to a receiver, under another name.
type sendParts func(b *bigKey, ctx context.Context, r *receiver, name string) error

// parts returns how the key can be sent in parts; nil: it cannot. A stream is more
// than its entries: groups, and who has read what.
func (b *bigKey) parts() sendParts {
	switch b.kind {
	case "string":
		return (*bigKey).sendString
	case "list":
		return (*bigKey).sendList
	case "hash":
		return (*bigKey).sendHash
	case "set":
		return (*bigKey).sendSet
	case "zset":
		return (*bigKey).sendZSet
	}
	return nil
}

// per returns how many elements make a part.
func (b *bigKey) per() int64 {
	average := b.size/max(b.count, 1) + 1
	return min(max(partBytes/average, 1), partElements)
}

// put has a receiver take one part, in the time that the limits give it. Part and
// time to live come in one transaction: if the mover is killed while it sends them,
// nothing is left that lives for ever.
func (b *bigKey) put(ctx context.Context, r *receiver, name string, n int64, bytes int, add func(redis.Pipeliner)) error {
	pipe := b.c.targets[r].Client.TxPipeline()
	add(pipe)
	pipe.PExpire(ctx, name, partLife)
	if _, err := pipe.Exec(ctx); err != nil {
		return &holdup{r, err, isReply(err)}
	}
	failpoint.At("mover.part")
	b.bytes += int64(bytes)
	b.sent(n)
	if err := b.c.h.m.gate.pass(ctx); err != nil {
		return err
	}
	b.c.h.m.pacer.spend(0, int64(bytes), b.c.h.paceTo(b.p.to))
	return b.c.h.m.pacer.wait(ctx)
}

// sendString writes into a string that has its length from the beginning: one that
// grows would be copied again and again.
func (b *bigKey) sendString(ctx context.Context, r *receiver, name string) error {
	if b.count == 0 {
		return errNotNow
	}
	err := b.put(ctx, r, name, 0, 0, func(pipe redis.Pipeliner) { pipe.SetRange(ctx, name, b.count-1, "\x00") })
	for at := int64(0); at < b.count && err == nil; at += partBytes {
		part, failed := b.c.source.Client.GetRange(ctx, b.key, at, min(at+partBytes, b.count)-1).Result()
		if failed != nil {
			return failed
		}
		if part == "" {
			return errNotNow // it has become shorter
		}
		err = b.put(ctx, r, name, at+int64(len(part)), len(part), func(pipe redis.Pipeliner) { pipe.SetRange(ctx, name, at, part) })
	}
	return err
}

func (b *bigKey) sendList(ctx context.Context, r *receiver, name string) error {
	per := b.per()
	for at := int64(0); at < b.count; at += per {
		part, err := b.c.source.Client.LRange(ctx, b.key, at, min(at+per, b.count)-1).Result()
		if err != nil {
			return err
		}
		if len(part) == 0 {
			return errNotNow
		}
		if err := b.put(ctx, r, name, at+int64(len(part)), length(part), func(pipe redis.Pipeliner) {
			pipe.RPush(ctx, name, anys(part)...)
		}); err != nil {
			return err
		}
	}
	return nil
}

// scan sends what one of the SCAN commands goes through. What it gives twice is
// written twice, which changes nothing.
func (b *bigKey) scan(ctx context.Context, r *receiver, name string, width int64,
	page func(cursor uint64, count int64) *redis.ScanCmd, add func(pipe redis.Pipeliner, part []string)) error {
	cursor, sent := uint64(0), int64(0)
	for {
		part, next, err := page(cursor, b.per()).Result()
		if err != nil {
			return err
		}
		if len(part) > 0 {
			sent = min(sent+int64(len(part))/width, b.count)
			if err := b.put(ctx, r, name, sent, length(part), func(pipe redis.Pipeliner) { add(pipe, part) }); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

func (b *bigKey) sendHash(ctx context.Context, r *receiver, name string) error {
	return b.scan(ctx, r, name, 2,
		func(cursor uint64, count int64) *redis.ScanCmd {
			return b.c.source.Client.HScan(ctx, b.key, cursor, "", count)
		},
		func(pipe redis.Pipeliner, part []string) { pipe.HSet(ctx, name, anys(part)...) })
}

func (b *bigKey) sendSet(ctx context.Context, r *receiver, name string) error {
	return b.scan(ctx, r, name, 1,
		func(cursor uint64, count int64) *redis.ScanCmd {
			return b.c.source.Client.SScan(ctx, b.key, cursor, "", count)
		},
		func(pipe redis.Pipeliner, part []string) { pipe.SAdd(ctx, name, anys(part)...) })
}

// sendZSet sends the scores as the texts that they come as: they have all digits.
func (b *bigKey) sendZSet(ctx context.Context, r *receiver, name string) error {
	return b.scan(ctx, r, name, 2,
		func(cursor uint64, count int64) *redis.ScanCmd {
			return b.c.source.Client.ZScan(ctx, b.key, cursor, "", count)
		},
		func(pipe redis.Pipeliner, part []string) {
			args := make([]any, 0, 2+len(part))
			args = append(args, "zadd", name)
			for i := 0; i+1 < len(part); i += 2 {
				args = append(args, part[i+1], part[i])
			}
			pipe.Do(ctx, args...)
		})
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

func length(list []string) (n int) {
	for _, s := range list {
		n += len(s)
	}
	return n
}

// timedFields reports whether a hash may have fields with a time to live of their
// own (Redis 7.4), which its parts would lose.
func (b *bigKey) timedFields(ctx context.Context) bool {
	info, err := b.c.source.Client.Info(ctx, "keyspace").Result()
	return err != nil || hasTimedFields(info)
}

// hasTimedFields reads the section keyspace of INFO: of each database, how many
// hashes have such fields.
func hasTimedFields(info string) bool {
	_, rest, has := strings.Cut(info, "subexpiry=")
	for has {
		if rest != "" && rest[0] >= '1' && rest[0] <= '9' {
			return true
		}
		_, rest, has = strings.Cut(rest, "subexpiry=")
	}
	return false
}
