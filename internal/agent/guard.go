package agent

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
)

// guard decides who may ask what. Reading is open to whoever reaches the agent.
// Changing needs the token, if there is one; without one, a connection that
// comes from this machine and through no proxy.
//
// Browsers are kept out of both: a page from elsewhere that sends requests to
// an agent on the machine of its reader (cross-origin), and one whose own name
// was made to point at the agent (DNS rebinding).
type guard struct {
	token atomic.Pointer[[sha256.Size]byte] // its hash; nil: there is none
	names []string                          // of this machine, for Host
	cross *http.CrossOriginProtection
}

func newGuard(names ...string) *guard {
	g := &guard{cross: http.NewCrossOriginProtection()}
	for _, name := range append(names, "localhost") {
		if name != "" {
			g.names = append(g.names, strings.ToLower(name))
		}
	}
	return g
}

// setToken replaces the token; empty: none.
func (g *guard) setToken(token string) {
	if token == "" {
		g.token.Store(nil)
		return
	}
	sum := sha256.Sum256([]byte(token))
	g.token.Store(&sum)
}

// refuse answers a request that is not allowed, and reports whether it did.
func (g *guard) refuse(w http.ResponseWriter, r *http.Request) bool {
	if onLoopback(r) && !g.ourHost(r.Host) {
		deny(w, http.StatusForbidden, "Host: want a name or address of this machine")
		return true
	}
	if err := g.cross.Check(r); err != nil {
		deny(w, http.StatusForbidden, "a browser sent this for a page from elsewhere")
		return true
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	return g.refuseChange(w, r)
}

func (g *guard) refuseChange(w http.ResponseWriter, r *http.Request) bool {
	want := g.token.Load()
	if want == nil {
		if fromHere(r) {
			return false
		}
		deny(w, http.StatusForbidden, "changes need a connection on loopback or a Unix socket, or an agent with a token")
		return true
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(given))
	if strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
		return false
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="ringway agent"`)
	deny(w, http.StatusUnauthorized, "changes need the agent's token: Authorization: Bearer …")
	return true
}

// ourHost reports whether a Host header names this machine: what else arrives on
// loopback comes from a browser that was led here by a name of somebody else's.
func (g *guard) ourHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true // names can be made to point anywhere, addresses cannot
	}
	for _, name := range g.names {
		if host == name {
			return true
		}
	}
	return false
}

// onLoopback reports whether the connection is one within this machine.
func onLoopback(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		return false
	}
	if local.Network() == "unix" {
		return true
	}
	return isLoopback(local.String()) && isLoopback(r.RemoteAddr)
}

func isLoopback(address string) bool {
	a, err := netip.ParseAddrPort(address)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// proxied are headers that a proxy adds: who stands behind one is not here,
// although the proxy is.
var proxied = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"}

// fromHere reports whether who asks is on this machine.
func fromHere(r *http.Request) bool {
	for _, header := range proxied {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	return onLoopback(r)
}

func deny(w http.ResponseWriter, status int, reason string) {
	http.Error(w, reason, status)
}
