package streams

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/internal/group"
)

type queue struct {
	j  *Journal
	me string // random: another one for each time that the queue is opened

	stream, reader, appender string // keys

	group   *group.Group[*request]
	appends uint64 // that were begun; of the goroutine that commits

	poke   chan struct{} // something was appended here
	once   sync.Once
	closed chan struct{}

	from string // where Read goes on claiming; "-": it reads
}

type request struct {
	ctx   context.Context
	data  [][]byte
	ready chan struct{} // closed when what follows is set

	numbers []uint64
	err     error
}

// Append is journal.Queue's.
func (q *queue) Append(ctx context.Context, data ...[]byte) ([]uint64, error) {
	r := &request{ctx: ctx, ready: make(chan struct{})}
	for _, d := range data {
		r.data = append(r.data, journal.Frame(0, d))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := q.group.Add(r); err != nil {
		return nil, err
	}
	select {
	case <-r.ready:
		return r.numbers, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// attempts is how often an append is sent whose reply was lost.
const attempts = 3

// maxBatch is how many records one script adds: the server does nothing else
// meanwhile.
const maxBatch = 500

func (q *queue) commit(all []*request) {
	for len(all) > 0 {
		n, records := 1, len(all[0].data)
		for n < len(all) && records+len(all[n].data) <= maxBatch {
			records += len(all[n].data)
			n++
		}
		q.commitSome(all[:n])
		all = all[n:]
	}
}

func (q *queue) commitSome(requests []*request) {
	q.appends++
	args := []any{q.appends, (10 * time.Minute).Milliseconds(), q.j.cfg.MaxLen}
	for _, r := range requests {
		for _, d := range r.data {
			args = append(args, d)
		}
	}
	ids, err := q.send(context.WithoutCancel(requests[0].ctx), args)
	if err == nil && len(ids) != len(args)-3 {
		err = fmt.Errorf("journal: streams: append: %d IDs for %d records", len(ids), len(args)-3)
	}
	for _, r := range requests {
		r.err = err
		for range r.data {
			if r.err != nil {
				break
			}
			var number uint64
			number, r.err = numberOf(ids[0])
			r.numbers, ids = append(r.numbers, number), ids[1:]
		}
		close(r.ready)
	}
	select {
	case q.poke <- struct{}{}:
	default:
	}
}

func (q *queue) send(ctx context.Context, args []any) (ids []string, err error) {
	for range attempts {
		asking, cancel := context.WithTimeout(ctx, q.j.cfg.Timeout)
		ids, err = appendScript.Run(asking, q.j.client, []string{q.stream, q.appender}, args...).StringSlice()
		cancel()
		if err == nil {
			return ids, nil
		}
		if refused := redis.Error(nil); errors.As(err, &refused) { // by the server, not lost
			if strings.HasSuffix(refused.Error(), "FULL") {
				return nil, journal.ErrFull
			}
			break
		}
	}
	return nil, fmt.Errorf("journal: streams: append: %w", err)
}

// Read is journal.Queue's.
func (q *queue) Read(ctx context.Context, most int) ([]journal.Record, error) {
	for {
		select {
		case <-q.closed:
			return nil, journal.ErrClosed
		default:
		}
		records, again, err := q.readOnce(ctx, most)
		if end, has := ctx.Deadline(); err != nil && has && !time.Now().Before(end) {
			return nil, context.DeadlineExceeded // which a connection may notice before ctx does
		}
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil || len(records) > 0 {
			return records, err
		}
		if again {
			continue
		}
		timer := time.NewTimer(q.j.cfg.Poll)
		select {
		case <-timer.C:
		case <-q.poke:
		case <-q.closed:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		timer.Stop()
	}
}

// readOnce asks once. Again: there may be more at once.
func (q *queue) readOnce(ctx context.Context, most int) (records []journal.Record, again bool, err error) {
	from := q.from
	// What the server hands out is pending under our name, whether the reply arrives
	// and can be read or not: after an error all of it is claimed again, lest something
	// newer be done before it.
	q.from = "0-0"
	reply, err := readScript.Run(ctx, q.j.client, []string{q.stream, q.reader}, q.me, q.j.cfg.Lease.Milliseconds(), most, from).Slice()
	if err != nil {
		return nil, false, fmt.Errorf("journal: streams: read: %w", err)
	}
	if len(reply) != 3 {
		return nil, false, fmt.Errorf("journal: streams: read: a reply of %d parts, want 3", len(reply))
	}
	state, _ := reply[0].(int64)
	next, _ := reply[1].(string)
	if records, err = recordsOf(reply[2]); err != nil {
		return nil, false, err
	}
	q.from = next
	return records, state == 2 || (state == 1 && from != "-"), nil
}

// recordsOf makes records of entries as Lua returns them: {id, {"d", data}}. Those that
// were deleted while they were pending are nothing.
func recordsOf(reply any) ([]journal.Record, error) {
	entries, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: streams: a reply of %T", journal.ErrDamaged, reply)
	}
	var records []journal.Record
	for _, e := range entries {
		entry, ok := e.([]any)
		if !ok || len(entry) != 2 || entry[1] == nil {
			continue
		}
		id, _ := entry[0].(string)
		number, err := numberOf(id)
		if err != nil {
			return nil, err
		}
		fields, _ := entry[1].([]any)
		if len(fields) != 2 || fields[0] != "d" {
			return nil, fmt.Errorf("%w: streams: entry %s: %d fields, want d", journal.ErrDamaged, id, len(fields)/2)
		}
		framed, _ := fields[1].(string)
		data, err := journal.Unframe(0, []byte(framed))
		if err != nil {
			return nil, fmt.Errorf("streams: entry %s: %w", id, err)
		}
		records = append(records, journal.Record{Number: number, Data: data})
	}
	return records, nil
}

// Done is journal.Queue's.
func (q *queue) Done(ctx context.Context, numbers ...uint64) error {
	for len(numbers) > 0 {
		n := min(len(numbers), maxBatch)
		ids := make([]any, n)
		for i, number := range numbers[:n] {
			ids[i] = idOf(number)
		}
		if err := doneScript.Run(ctx, q.j.client, []string{q.stream}, ids...).Err(); err != nil {
			return fmt.Errorf("journal: streams: done: %w", err)
		}
		numbers = numbers[n:]
	}
	return nil
}

// Peek is journal.Queue's.
func (q *queue) Peek(ctx context.Context, most int) ([]journal.Record, int, error) {
	reply, err := peekScript.Run(ctx, q.j.client, []string{q.stream}, max(most, 1)).Slice()
	if err != nil || len(reply) != 2 {
		return nil, 0, fmt.Errorf("journal: streams: peek: %d parts, %w", len(reply), err)
	}
	depth, _ := reply[0].(int64)
	records, err := recordsOf(reply[1])
	return records[:min(max(most, 0), len(records))], int(depth), err
}

// Close is journal.Queue's. The lease is given back, if the server answers.
func (q *queue) Close() error {
	var err error
	q.once.Do(func() {
		close(q.closed)
		q.group.Close()
		ctx, cancel := context.WithTimeout(context.Background(), q.j.cfg.Timeout)
		defer cancel()
		err = leaveScript.Run(ctx, q.j.client, []string{q.stream, q.reader}, q.me).Err()
	})
	return err
}

// The number of a stream's entry: ms since 1970, and the counter of the millisecond in
// the lower 22 bits. Redis does not count to 2^22 in one, unless its clock was put
// back, and then such an ID is an error and not another's number.
const counterBits = 22

func numberOf(id string) (uint64, error) {
	ms, counter, _ := strings.Cut(id, "-")
	m, err1 := strconv.ParseUint(ms, 10, 41)
	c, err2 := strconv.ParseUint(counter, 10, counterBits)
	if err := errors.Join(err1, err2); err != nil {
		return 0, fmt.Errorf("%w: streams: entry %.40q: %w", journal.ErrDamaged, id, err)
	}
	return m<<counterBits | c, nil
}

func idOf(number uint64) string {
	return strconv.FormatUint(number>>counterBits, 10) + "-" + strconv.FormatUint(number&(1<<counterBits-1), 10)
}
