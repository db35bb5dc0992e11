package ws

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the package imports, and no more: it must fit a device.
func TestImports_AreFew(t *testing.T) {
	list := func(args ...string) []string {
		out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
		require.NoError(t, err)
		return strings.Fields(string(out))
	}
	const here = "github.com/embws/embws/ws"
	assert.ElementsMatch(t, []string{
		"bytes", "crypto/rand", "encoding/binary", "io", "math/bits", here + "/internal/mask", here + "/internal/utf8dfa",
	}, list("-f", `{{join .Imports "\n"}}`, "."))

	// Without the default random source nothing below drags in more, either.
	deps := list("-deps", "-tags", "embws_norand", ".")
	for _, banned := range []string{"fmt", "net", "net/http", "os", "time", "crypto/rand", "syscall"} {
		assert.NotContains(t, deps, banned)
	}
}
