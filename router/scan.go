package router

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/command"
)

// A composite cursor holds, in its upper 24 bits, the tag of the node that the
// scan is at, and below the cursor of that node. Nodes are scanned in the order
// of their tags, which are hashes of their IDs and depend on nothing else: a node
// that joins or leaves in the middle of a scan shifts none of the others.
const (
	cursorBits = 40
	cursorMask = 1<<cursorBits - 1
	maxTag     = 1<<(64-cursorBits) - 1
)

// ErrCursor reports a cursor that no SCAN of this client has returned, or a
// node's cursor beyond 40 bits, which Redis reaches at 2^40 keys.
var ErrCursor = errors.New("router: invalid SCAN cursor")

// packCursor makes a composite cursor. It is false for what does not fit.
func packCursor(tag, inNode uint64) (cursor uint64, fits bool) {
	return tag<<cursorBits | inNode, tag >= 1 && tag <= maxTag && inNode <= cursorMask
}

// unpackCursor takes it apart. The tag of what is no cursor is 0, or that of no
// node.
func unpackCursor(cursor uint64) (tag, inNode uint64) {
	return cursor >> cursorBits, cursor & cursorMask
}

// scanTag is from 1 to maxTag.
func scanTag(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return h.Sum64()%maxTag + 1
}

// scanOrder returns the nodes in the order of their tags, and the tags.
func scanOrder(nodes []*redisNode) ([]*redisNode, []uint64, error) {
	byTag := make(map[uint64]*redisNode, len(nodes))
	tags := make([]uint64, len(nodes))
	for i, n := range nodes {
		id := n.member().ID
		tags[i] = scanTag(id)
		if other, taken := byTag[tags[i]]; taken {
			return nil, nil, &UnsupportedError{Command: "SCAN", Reason: fmt.Sprintf(
				"nodes %q and %q are the same in a cursor, as two names in 16 million are: rename one, or scan each by ForEachNode", other.member().ID, id)}
		}
		byTag[tags[i]] = n
	}
	slices.Sort(tags)
	ordered := make([]*redisNode, len(tags))
	for i, tag := range tags {
		ordered[i] = byTag[tag]
	}
	return ordered, tags, nil
}

// givenTags are those in cursors that this client has returned: a cursor whose
// node is not in the fleet goes on with the next node if it is one of them, and
// makes no sense otherwise.
type givenTags struct {
	mu   sync.Mutex
	tags map[uint64]bool
}

// maxGivenTags bounds what a fleet whose nodes come and go all the time takes.
const maxGivenTags = 1 << 16

func (g *givenTags) add(tag uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tags == nil || len(g.tags) >= maxGivenTags {
		g.tags = make(map[uint64]bool)
	}
	g.tags[tag] = true
}

func (g *givenTags) has(tag uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tags[tag]
}

// scan asks the one node that the cursor names. If that fails the command has the
// cursor that it was given, and the same call goes on once the node is back.
func (r *Redis) scan(ctx context.Context, c *command.Command, cmd redis.Cmder, nodes []*redisNode) error {
	args := cmd.Args()
	text, _ := command.KeyString(args[1])
	cursor, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: got %q, want 0 or what SCAN returned", ErrCursor, clip(text))
	}
	ordered, tags, err := scanOrder(nodes)
	if err != nil {
		return err
	}
	at, inNode, err := r.scanPlace(tags, cursor)
	if err != nil {
		return err
	}
	if err := setPage(cmd, []string{}, cursor); err != nil {
		return err
	}
	if at == len(ordered) {
		return setPage(cmd, []string{}, 0)
	}
	n := ordered[at]
	piece := redis.NewCmd(ctx, append([]any{args[0], inNode}, args[2:]...)...)
	if err := r.exec(ctx, n, c, piece, n.inFlight.Load()); err != nil {
		return err
	}
	page, next, err := pageOf(piece.Val())
	if err != nil {
		return n.fail(err)
	}
	switch {
	case next != 0:
		packed, fits := packCursor(tags[at], next)
		if !fits {
			return fmt.Errorf("%w: node %q gave %d, want less than 2^%d: scan it by ForEachNode", ErrCursor, n.member().ID, next, cursorBits)
		}
		next = packed
	case at+1 < len(ordered):
		next, _ = packCursor(tags[at+1], 0)
	}
	if next != 0 {
		tag, _ := unpackCursor(next)
		r.given.add(tag)
	}
	return setPage(cmd, page, next)
}

// scanPlace returns which node a cursor is at, in the order of tags, and the
// cursor there. If the node has left since, the next one is scanned from its
// beginning.
func (r *Redis) scanPlace(tags []uint64, cursor uint64) (at int, inNode uint64, err error) {
	if cursor == 0 {
		return 0, 0, nil
	}
	tag, inNode := unpackCursor(cursor)
	at, there := slices.BinarySearch(tags, tag)
	switch {
	case there:
		return at, inNode, nil
	case r.given.has(tag):
		return at, 0, nil
	}
	return 0, 0, fmt.Errorf("%w: got %d, want 0 or what SCAN returned", ErrCursor, cursor)
}

// pageOf takes a reply to SCAN apart, and passes over tombstones.
func pageOf(reply any) (page []string, cursor uint64, err error) {
	list, isList := reply.([]any)
	if !isList || len(list) != 2 {
		return nil, 0, errReply
	}
	text, isText := list[0].(string)
	cursor, err = strconv.ParseUint(text, 10, 64)
	keys, areKeys := list[1].([]any)
	if !isText || err != nil || !areKeys {
		return nil, 0, errReply
	}
	page = make([]string, 0, len(keys))
	for _, k := range keys {
		key, isText := k.(string)
		if !isText {
			return nil, 0, errReply
		}
		if !transit.IsMarker(key) {
			page = append(page, key)
		}
	}
	return page, cursor, nil
}

func setPage(cmd redis.Cmder, page []string, cursor uint64) error {
	switch cmd := cmd.(type) {
	case *redis.ScanCmd:
		cmd.SetVal(page, cursor)
		return nil
	case *redis.Cmd:
		keys := make([]any, len(page))
		for i, k := range page {
			keys[i] = k
		}
		cmd.SetVal([]any{strconv.FormatUint(cursor, 10), keys})
		return nil
	}
	return &UnsupportedError{Command: "SCAN", Reason: fmt.Sprintf("its result does not fit a %T", cmd)}
}
