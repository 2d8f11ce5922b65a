package dns_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/dns"
)

// records stands in for the domain name system.
type records []*net.SRV

func (r records) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", r, nil
}

func (r records) LookupHost(context.Context, string) ([]string, error) { return nil, nil }

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	source, err := dns.New(ctx, dns.Config{
		Name: "cache.default.svc.cluster.local", Service: "redis", Proto: "tcp",
		Resolver: records{ // left out, it is net.DefaultResolver
			{Target: "cache-1.cache.default.svc.cluster.local.", Port: 6379},
			{Target: "cache-0.cache.default.svc.cluster.local.", Port: 6379},
		},
		OnError: func(err error) { log.Print(err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()

	// A router takes the source as it is: router.Config{Source: source}.
	view, err := source.Next(ctx, 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, node := range view.Current(membership.Redis) {
		fmt.Println(node.ID)
	}
	// Output:
	// cache-0.cache.default.svc.cluster.local:6379
	// cache-1.cache.default.svc.cluster.local:6379
}
