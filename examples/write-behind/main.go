// Write-behind has writes return as soon as a journal on this disk has them; the source
// gets them a moment later, in batches, each key's last value and the sum of what was
// added. A program that is killed in between goes on where it was: run it, kill it, and
// run it again.
//
//	redis-server --port 7021 & redis-server --port 7022 &
//	go run ./examples/write-behind /tmp/example.journal 127.0.0.1:7021 127.0.0.1:7022
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/cache/journal/local"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: write-behind JOURNAL ADDRESS…   for example: write-behind /tmp/example.journal 127.0.0.1:7021 127.0.0.1:7022")
		os.Exit(2)
	}
	if err := run(ctx, os.Stdout, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "write-behind:", err)
		os.Exit(1)
	}
}

// PageKey names a page.
type PageKey struct{ Path string }

// AppendKey writes the field of the key.
func (k PageKey) AppendKey(b *cache.KeyBuilder) { b.String(k.Path) }

// Page is what is cached.
type Page struct {
	Title string
	Views int64
}

// table stands for the source. With each row it keeps the number up to which the row has
// everything: a batch may come a second time, after a crash, and with more in it.
type table struct {
	mu      sync.Mutex
	rows    map[PageKey]row
	batches int
}

type row struct {
	page Page
	last uint64
}

// apply is one transaction.
func (t *table) apply(_ context.Context, batch []*cache.RowChange[PageKey, Page]) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batches++
	for _, c := range batch {
		r := t.rows[c.Key]
		write, views := c.After(r.last)
		if write == cache.WriteValue {
			r.page = c.Value
		}
		r.page.Views += views
		r.last = max(r.last, c.Last())
		t.rows[c.Key] = r
	}
	return nil
}

func (t *table) load(_ context.Context, key PageKey) (Page, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, found := t.rows[key]
	if !found {
		return Page{}, cache.ErrNotFound
	}
	return r.page, nil
}

func run(ctx context.Context, out io.Writer, path string, addresses []string) (err error) {
	var members []membership.Member
	for i, address := range addresses {
		members = append(members, membership.Member{ID: fmt.Sprint("cache-", i+1), Address: address})
	}
	source, err := membership.Static(members...)
	if err != nil {
		return err
	}
	client, err := router.NewRedis(ctx, router.Config{Source: source})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := client.Ping(ctx).Err(); err != nil {
		return err // writes would do without the servers, and this is to show them
	}
	log, err := local.Open(path, local.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.OnRedis(client)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }() // before the journal: it drains
	rows := &table{rows: make(map[PageKey]row)}
	pages, err := cache.NewSpace(m, cache.SpaceConfig[PageKey, Page]{
		Name: "example:page", Schema: 1, Load: cache.Plain(rows.load),
		WriteBehind: cache.WriteBehindConfig[PageKey, Page]{Journal: log, Apply: rows.apply},
	})
	if err != nil {
		return err
	}
	return show(ctx, out, pages, rows)
}

func show(ctx context.Context, out io.Writer, pages *cache.Space[PageKey, Page], rows *table) error {
	key := PageKey{"/"}
	if err := pages.Flush(ctx); err != nil { // what an earlier run has left
		return err
	}
	if err := pages.Put(ctx, key, Page{Title: "Home"}); err != nil {
		return err
	}
	page, _, err := pages.Get(ctx, key) // whether the source has it or not
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", page.Title)
	const views = 1000
	var all sync.WaitGroup
	errs := make([]error, views)
	for i := range views {
		all.Go(func() { errs[i] = pages.Add(ctx, key, 1) })
	}
	all.Wait()
	if err := errors.Join(append(errs, pages.Flush(ctx))...); err != nil {
		return err
	}
	if page, _, err = pages.Get(ctx, key); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %d views, from fewer than %d transactions: %v\n", page.Title, page.Views, views/10, rows.batches < views/10)
	return nil
}
