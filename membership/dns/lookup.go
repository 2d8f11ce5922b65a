package dns

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ringway/ringway/membership"
)

// lookup asks once and returns the members that the answer names, in the form of
// a view. concern is what is to be reported although there is an answer.
func (c Config) lookup(ctx context.Context) (members []membership.Member, concern, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("no answer within %v: %w", c.Timeout, context.DeadlineExceeded))
	defer cancel()
	switch {
	case len(c.Hosts) > 0:
		members, concern = c.fixed(), c.missing(ctx)
	case c.Port != 0:
		members, err = c.addresses(ctx)
	default:
		members, err = c.targets(ctx)
	}
	if err == nil && len(members) == 0 {
		err = errEmpty
	}
	if err != nil {
		return nil, nil, err
	}
	view, err := membership.NewView(0, members...)
	return view.Members, concern, err
}

// targets looks up SRV records.
func (c Config) targets(ctx context.Context) ([]membership.Member, error) {
	_, records, err := c.Resolver.LookupSRV(ctx, c.Service, c.Proto, c.Name)
	if err != nil { // also where there are some records: others could not be read
		return nil, cause(ctx, err)
	}
	records = slices.DeleteFunc(slices.Clone(records), func(r *net.SRV) bool {
		return r == nil || r.Target == "." || r.Target == "" // RFC 2782: there is no such service
	})
	// Of equal targets the first counts: whatever the order of the records was.
	slices.SortStableFunc(records, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(address(a), address(b)), cmp.Compare(a.Priority, b.Priority), -cmp.Compare(a.Weight, b.Weight))
	})
	records = slices.CompactFunc(records, func(a, b *net.SRV) bool { return address(a) == address(b) })
	same := !slices.ContainsFunc(records, func(r *net.SRV) bool { return r.Weight != records[0].Weight })
	members := make([]membership.Member, len(records))
	for i, r := range records {
		id, weight := address(r), float64(r.Weight) // of which 0 is the default, 1
		if c.IDOf != nil {
			id = c.IDOf(host(r), int(r.Port))
		}
		if same || c.IgnoreWeights {
			weight = 1
		}
		members[i] = c.member(id, address(r), weight)
	}
	return members, nil
}

// host is the target's name in one form of the many that mean the same.
func host(r *net.SRV) string { return strings.ToLower(strings.TrimSuffix(r.Target, ".")) }

func address(r *net.SRV) string { return net.JoinHostPort(host(r), strconv.Itoa(int(r.Port))) }

// addresses looks up the addresses of the one name.
func (c Config) addresses(ctx context.Context) ([]membership.Member, error) {
	found, err := c.Resolver.LookupHost(ctx, c.Name)
	if err != nil {
		return nil, cause(ctx, err)
	}
	var all []netip.Addr
	for _, text := range found {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("address: got %q, want an IP address", text)
		}
		all = append(all, a.Unmap())
	}
	slices.SortFunc(all, netip.Addr.Compare)
	all = slices.Compact(all)
	if !c.AddressesAreIDs {
		if len(all) > 1 {
			return nil, fmt.Errorf("%w: %s has %d (%v, %v, …): once one of them is replaced, nobody can tell which node got which, and all would change their keys; want SRV records, or the names of the nodes in Hosts; or AddressesAreIDs, if no address ever changes",
				ErrSeveralAddresses, c.Name, len(all), all[0], all[1])
		}
		return c.fixed()[:min(1, len(all))], nil
	}
	members := make([]membership.Member, len(all))
	for i, a := range all {
		where := netip.AddrPortFrom(a, uint16(c.Port)).String()
		members[i] = c.member(where, where, 1)
	}
	return members, nil
}

// missing looks up all hosts, a few at a time, and says which do not resolve.
func (c Config) missing(ctx context.Context) error {
	failed := make([]error, len(c.Hosts))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(8, len(c.Hosts)) {
		workers.Go(func() {
			for i := range next {
				failed[i] = c.resolves(ctx, c.Hosts[i])
			}
		})
	}
	for i := range c.Hosts {
		next <- i
	}
	close(next)
	workers.Wait()
	u := &unresolved{of: len(c.Hosts)}
	for i, err := range failed {
		if err != nil {
			u.hosts, u.last = append(u.hosts, c.Hosts[i]), err
		}
	}
	if u.hosts == nil {
		return nil
	}
	return u
}

func (c Config) resolves(ctx context.Context, hostPort string) error {
	name, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return err
	}
	found, err := c.Resolver.LookupHost(ctx, name)
	if err == nil && len(found) == 0 {
		err = errEmpty
	}
	return cause(ctx, err)
}

// cause names the end of the time, which a resolver reports in words of its own.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
