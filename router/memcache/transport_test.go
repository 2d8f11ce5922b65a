package memcache

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/internal/servertest"
)

func TestUnixSocket(t *testing.T) {
	server := servertest.Start(t, servers.Config{Kind: servers.Memcached, Unix: true})
	exercise(t, client(t, Config{Address: "unix://" + server.Addr()}))
}

func TestDialHook(t *testing.T) {
	server := servertest.Memcached(t)
	type wrapped struct{ net.Conn } // not a socket: no shortcuts
	c := client(t, Config{Address: "cache.example:11211", Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if network != "tcp" || address != "cache.example:11211" {
			return nil, fmt.Errorf("asked for %s %s", network, address)
		}
		nc, err := new(net.Dialer).DialContext(ctx, network, server.Addr())
		return wrapped{nc}, err
	}})
	exercise(t, c)
}

// Debian's memcached is built without TLS: a proxy ends it.
func TestTLS(t *testing.T) {
	server := servertest.Memcached(t)
	certificate, pool := selfSigned(t)
	address := tlsProxy(t, server.Addr(), certificate)
	exercise(t, client(t, Config{Address: address, TLS: &tls.Config{RootCAs: pool}}))

	t.Run("a server that is not trusted", func(t *testing.T) {
		c := client(t, Config{Address: address, TLS: &tls.Config{}})
		err := c.Ping(background(t))
		wantSent(t, err, false)
	})
	t.Run("a server without TLS", func(t *testing.T) {
		c := client(t, Config{Address: server.Addr(), TLS: &tls.Config{RootCAs: pool}})
		wantSent(t, c.Ping(background(t)), false)
	})
}

// exercise runs alone, side by side, in batches and with large values.
func exercise(t *testing.T, c *Client) {
	ctx := background(t)
	for i := range 50 {
		key := fmt.Sprint("alone", i)
		must(t, c.Set(ctx, Item{Key: key, Value: []byte(key)}))
		wantValue(t, c, key, key)
	}
	var running sync.WaitGroup
	for g := range 32 {
		running.Go(func() {
			for i := range 50 {
				key := fmt.Sprint("together", g, "-", i)
				if err := c.Set(ctx, Item{Key: key, Value: []byte(key)}); err != nil {
					t.Error(err)
					return
				}
				if got, err := c.Get(ctx, key); err != nil || string(got.Value) != key {
					t.Errorf("%s: got %q, %v", key, got.Value, err)
				}
			}
		})
	}
	running.Wait()
	large := make([]byte, 900_000)
	must(t, c.SetMulti(ctx, []Item{{Key: "large1", Value: large}, {Key: "large2", Value: large}, {Key: "small", Value: []byte("s")}}))
	got, err := c.GetMulti(ctx, []string{"large1", "small", "large2", "missing"})
	if err != nil || len(got) != 3 || len(got["large2"].Value) != len(large) || string(got["small"].Value) != "s" {
		t.Errorf("got %d items, %v", len(got), err)
	}
	if s := c.Stats(); s.LostNetwork+s.LostOverdue+s.LostProtocol+s.DialErrors+s.Abandoned != 0 || s.InFlight != 0 {
		t.Errorf("got %+v", s)
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func tlsProxy(t *testing.T, to string, certificate tls.Certificate) (address string) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	must(t, err)
	proxy(t, listener, to, func() (up, down int64) { return math.MaxInt64, math.MaxInt64 })
	return listener.Addr().String()
}
