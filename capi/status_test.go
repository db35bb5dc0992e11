package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// row is what status.c says about a status.
type row struct{ section, message string }

func rowsOfC(t *testing.T) map[string]row {
	t.Helper()
	source, err := os.ReadFile("status.c")
	require.NoError(t, err)
	rows := map[string]row{}
	for _, m := range regexp.MustCompile(`ROW\((EMBWS_\w+),\s*"([^"]*)",\s*((?:"[^"]*"\s*)+)\)`).FindAllStringSubmatch(string(source), -1) {
		message := regexp.MustCompile(`"\s*"`).ReplaceAllString(strings.TrimSpace(m[3]), "")
		rows[m[1]] = row{m[2], strings.Trim(message, `"`)}
	}
	return rows
}

func numbersOfHeader(t *testing.T) map[string]int32 {
	t.Helper()
	header, err := os.ReadFile("../include/embws.h")
	require.NoError(t, err)
	numbers := map[string]int32{}
	for _, m := range regexp.MustCompile(`(?m)^#define (EMBWS_(?:OK|MORE|OPENED|BATCH|WRITTEN|UPGRADE_REQUESTED|PLAIN_REQUEST|ERR_\w+))\s+\(?(-?\d+)\)?`).
		FindAllStringSubmatch(string(header), -1) {
		n, err := strconv.Atoi(m[2])
		require.NoError(t, err)
		numbers[m[1]] = int32(n)
	}
	return numbers
}

func TestStatuses_HeaderTableAndPackageAgree(t *testing.T) {
	rows, numbers := rowsOfC(t), numbersOfHeader(t)
	require.Greater(t, len(numbers), 80)
	for name := range numbers {
		assert.Contains(t, rows, name, "status.c lacks a row")
	}
	for name := range rows {
		assert.Contains(t, numbers, name, "embws.h lacks a number")
	}

	names := map[int32]string{}
	for name, n := range numbers {
		assert.Empty(t, names[n], "%s and %s have one number", name, names[n])
		names[n] = name
	}
	for _, s := range statuses {
		n := int32(s.status)
		name := names[n]
		require.NotEmpty(t, name, "%v", s.err)
		if n > -1000 {
			continue
		}
		assert.EqualValues(t, s.err.Rule, (-1000-n)/10, "%s: the number tells the rule", name)
		assert.Equal(t, s.err.Section, rows[name].section, name)
		assert.NotEmpty(t, rows[name].message, name)
	}
}

func TestStatuses_EveryErrorHasOne(t *testing.T) {
	source, err := os.ReadFile("../ws/errors.go")
	require.NoError(t, err)
	mapping, err := os.ReadFile("status.go")
	require.NoError(t, err)
	without := map[string]string{
		"ErrDrain":   "only a Conn gives it",
		"ErrDeflate": "there is no Deflater behind the C interface yet",
	}
	for _, m := range regexp.MustCompile(`(?m)^\s(Err\w+)\s+= &Error`).FindAllStringSubmatch(string(source), -1) {
		if without[m[1]] == "" {
			assert.Contains(t, string(mapping), "{ws."+m[1]+", ")
		}
	}
}
