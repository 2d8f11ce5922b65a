package agent

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Who may read, and who may change something.
func TestGuard(t *testing.T) {
	const token = "0123456789abcdef"
	for _, test := range []struct {
		name          string
		token         string
		local, remote string
		host          string
		header        [2]string
		read, change  int // status; 0: let through
	}{
		{"loopback", "", "127.0.0.1:8946", "127.0.0.1:4000", "127.0.0.1:8946", [2]string{}, 0, 0},
		{"loopback, IPv6", "", "[::1]:8946", "[::1]:4000", "[::1]:8946", [2]string{}, 0, 0},
		{"loopback, IPv4 in IPv6", "", "[::ffff:127.0.0.1]:8946", "[::ffff:127.0.0.1]:4000", "localhost:8946", [2]string{}, 0, 0},
		{"loopback, own name", "", "127.0.1.1:8946", "127.0.0.1:4000", "cache-a:8946", [2]string{}, 0, 0},
		{"Unix socket", "", "/run/agent.sock", "@", "localhost", [2]string{}, 0, 0},
		{"from elsewhere", "", "10.0.0.1:8946", "10.0.0.2:4000", "cache-a:8946", [2]string{}, 0, 403},
		{"from elsewhere, any name", "", "10.0.0.1:8946", "10.0.0.2:4000", "agents.internal", [2]string{}, 0, 403},
		{"loopback by another address", "", "10.0.0.1:8946", "10.0.0.1:4000", "10.0.0.1:8946", [2]string{}, 0, 403},
		{"only the peer on loopback", "", "10.0.0.1:8946", "127.0.0.1:4000", "10.0.0.1:8946", [2]string{}, 0, 403},
		{"only our end on loopback", "", "127.0.0.1:8946", "10.0.0.2:4000", "127.0.0.1:8946", [2]string{}, 0, 403},
		{"through a proxy", "", "127.0.0.1:8946", "127.0.0.1:4000", "localhost", [2]string{"X-Forwarded-For", "10.0.0.2"}, 0, 403},
		{"through a proxy, RFC 7239", "", "127.0.0.1:8946", "127.0.0.1:4000", "localhost", [2]string{"Forwarded", "for=10.0.0.2"}, 0, 403},
		{"unknown connection", "", "", "127.0.0.1:4000", "localhost", [2]string{}, 0, 403},

		{"rebinding", "", "127.0.0.1:8946", "127.0.0.1:4000", "evil.example", [2]string{}, 403, 403},
		{"rebinding, nearly our name", "", "127.0.0.1:8946", "127.0.0.1:4000", "cache-a.evil.example", [2]string{}, 403, 403},
		{"rebinding, no name", "", "127.0.0.1:8946", "127.0.0.1:4000", "", [2]string{}, 403, 403},
		{"rebinding with a token", token, "127.0.0.1:8946", "127.0.0.1:4000", "evil.example", [2]string{"Authorization", "Bearer " + token}, 403, 403},
		{"cross-origin", "", "127.0.0.1:8946", "127.0.0.1:4000", "127.0.0.1:8946", [2]string{"Origin", "http://evil.example"}, 0, 403},
		{"cross-origin, null", "", "127.0.0.1:8946", "127.0.0.1:4000", "127.0.0.1:8946", [2]string{"Origin", "null"}, 0, 403},
		{"cross-origin by what the browser says", "", "127.0.0.1:8946", "127.0.0.1:4000", "127.0.0.1:8946", [2]string{"Sec-Fetch-Site", "cross-site"}, 0, 403},
		{"same origin", "", "127.0.0.1:8946", "127.0.0.1:4000", "127.0.0.1:8946", [2]string{"Origin", "http://127.0.0.1:8946"}, 0, 0},

		{"token", token, "10.0.0.1:8946", "10.0.0.2:4000", "cache-a", [2]string{"Authorization", "Bearer " + token}, 0, 0},
		{"token, small letters", token, "10.0.0.1:8946", "10.0.0.2:4000", "cache-a", [2]string{"Authorization", "bearer " + token}, 0, 0},
		{"token through a proxy", token, "10.0.0.1:8946", "10.0.0.2:4000", "cache-a", [2]string{"Authorization", "Bearer " + token}, 0, 0},
		{"wrong token", token, "10.0.0.1:8946", "10.0.0.2:4000", "cache-a", [2]string{"Authorization", "Bearer " + token + "x"}, 0, 401},
		{"start of the token", token, "10.0.0.1:8946", "10.0.0.2:4000", "cache-a", [2]string{"Authorization", "Bearer " + token[:8]}, 0, 401},
		{"another scheme", token, "10.0.0.1:8946", "10.0.0.2:4000", "cache-a", [2]string{"Authorization", "Basic " + token}, 0, 401},
		{"no scheme", token, "10.0.0.1:8946", "10.0.0.2:4000", "cache-a", [2]string{"Authorization", token}, 0, 401},
		{"no token on loopback", token, "127.0.0.1:8946", "127.0.0.1:4000", "localhost", [2]string{}, 0, 401},
		{"no token on a Unix socket", token, "/run/agent.sock", "@", "localhost", [2]string{}, 0, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, method := range []string{"GET", "POST"} {
				g := newGuard("Cache-A")
				g.setToken(test.token)
				r := httptest.NewRequest(method, "/v1/leave", strings.NewReader(""))
				r.Host, r.RemoteAddr = test.host, test.remote
				if test.header[0] != "" {
					r.Header.Set(test.header[0], test.header[1])
				}
				if test.local != "" {
					r = r.WithContext(withLocal(r.Context(), test.local))
				}
				want, got := test.read, 0
				if method == "POST" {
					want = test.change
				}
				w := httptest.NewRecorder()
				if g.refuse(w, r) {
					got = w.Code
				}
				if got != want {
					t.Errorf("%s: status %d, want %d", method, got, want)
				}
				if strings.Contains(w.Body.String(), token) {
					t.Error("the token is in the answer")
				}
			}
		})
	}
}

// What is refused is not done.
func TestRefusedIsNotDone(t *testing.T) {
	f, n := newTestFront(t)
	f.guard.setToken("0123456789abcdef")
	for _, path := range []string{"/v1/leave", "/v1/weight"} {
		w := ask(f, "POST", path, `{"weight": 2}`)
		if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if n.left != 0 || len(n.weights) != 0 {
		t.Errorf("left %d times, weights %v", n.left, n.weights)
	}
	f.guard.setToken("fedcba9876543210") // replaced while requests come in
	if w := ask(f, "POST", "/v1/leave", "", "Authorization", "Bearer fedcba9876543210"); w.Code != http.StatusAccepted || n.left != 1 {
		t.Errorf("%d, left %d times", w.Code, n.left)
	}
}
