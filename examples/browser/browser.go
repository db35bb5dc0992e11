// Package browser holds the page that the demo servers serve at "/": an echo
// client that needs nothing but a browser.
//
// The page is one file without a build step or an outside resource, so that
// servers in any language can serve the very same bytes: Go servers import
// this package, others copy index.html. The page connects to the host it came
// from, by default to /chat with the subprotocol chat; a server with other
// values points people at "/?path=/echo&subprotocol=demo", which fills in the
// fields. The first comment in index.html lists the element ids that tests
// rely on.
//
// Serve it as "text/html; charset=utf-8".
package browser

import _ "embed"

// Page is index.html, UTF-8. It is shared by all its users: do not write to it.
//
//go:embed index.html
var Page []byte
