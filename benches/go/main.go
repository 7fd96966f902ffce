// The echo and HTTP server of the comparison in Go: one goroutine per connection. It takes the place of the process
// that would serve otherwise, with its listener, and answers the same questions in the same words.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const bufferMin = 4096

// As in serve.rs.
const (
	sampleTakes = 500 * time.Microsecond
	sampleTries = 1000
)

var (
	listenFd   = flag.Int("listen-fd", -1, "descriptor of the listener")
	syscallsFd = flag.Int("syscalls-fd", -1, "descriptor of the counter of system calls, if any")
	workers    = flag.Int("workers", 1, "GOMAXPROCS")
	message    = flag.Int("message", 64, "bytes of a message, or of the body of a response")
	workSteps  = flag.Uint64("work-steps", 0, "work per request")
	speakHTTP  = flag.Bool("http", false, "speak HTTP")
)

var (
	opened, closed, requests, failures atomic.Uint64
	firstFailure                       atomic.Value
	sink                               atomic.Uint64
	outputLock                         sync.Mutex
)

type usage struct {
	UserUs      uint64 `json:"user_us"`
	SystemUs    uint64 `json:"system_us"`
	Voluntary   uint64 `json:"voluntary"`
	Involuntary uint64 `json:"involuntary"`
}

type sample struct {
	AtUs       uint64  `json:"at_us"`
	Usage      usage   `json:"usage"`
	Syscalls   *uint64 `json:"syscalls"`
	Threads    uint64  `json:"threads"`
	MemoryPeak uint64  `json:"memory_peak"`
}

type totals struct {
	Opened     uint64  `json:"opened"`
	Closed     uint64  `json:"closed"`
	Requests   uint64  `json:"requests"`
	Errors     uint64  `json:"errors"`
	FirstError *string `json:"first_error"`
}

func main() {
	flag.Parse()
	runtime.GOMAXPROCS(*workers)
	// The alarm that was set for this process would be ignored by Go.
	alarm := make(chan os.Signal, 1)
	signal.Notify(alarm, syscall.SIGALRM)
	go func() {
		<-alarm
		os.Exit(1)
	}()
	listener, err := net.FileListener(os.NewFile(uintptr(*listenFd), "listener"))
	if err != nil {
		giveUp(err)
	}
	go func() {
		if err := answer(listener.Addr().(*net.TCPAddr).Port); err != nil {
			giveUp(err)
		}
		os.Exit(0)
	}()
	if *speakHTTP {
		giveUp(serveHTTP(listener))
	}
	giveUp(serveEcho(listener))
}

func serveEcho(listener net.Listener) error {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		opened.Add(1)
		go handle(connection)
	}
}

func handle(connection net.Conn) {
	size := *message
	if size < bufferMin {
		size = bufferMin
	}
	buffer := make([]byte, size)
	received, returned := 0, 0
	var failure error
	for {
		length, err := connection.Read(buffer)
		if err == io.EOF {
			break
		}
		if err != nil {
			failure = err
			break
		}
		before := received / *message
		received += length
		for ; before < received / *message; before++ {
			spend(*workSteps)
		}
		written, err := connection.Write(buffer[:length])
		returned += written
		if err != nil {
			failure = err
			break
		}
	}
	connection.Close()
	if failure == nil && (received != returned || received%*message != 0) {
		failure = fmt.Errorf("%d bytes received, %d returned", received, returned)
	}
	if failure != nil {
		enterFailure(failure)
	}
	requests.Add(uint64(returned / *message))
	closed.Add(1)
}

func serveHTTP(listener net.Listener) error {
	body := []byte(strings.Repeat("Z", *message))
	length := strconv.Itoa(len(body))
	server := &http.Server{
		Handler: http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
			spend(*workSteps)
			requests.Add(1)
			response.Header().Set("Content-Length", length)
			if _, err := response.Write(body); err != nil {
				enterFailure(err)
			}
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				opened.Add(1)
			case http.StateClosed:
				closed.Add(1)
			}
		},
	}
	return server.Serve(listener)
}

func enterFailure(failure error) {
	failures.Add(1)
	firstFailure.CompareAndSwap(nil, failure.Error())
}

// The same chain of dependent steps as all other contestants do.
func spend(steps uint64) {
	if steps == 0 {
		return
	}
	x := uint64(0x9E3779B97F4A7C15)
	for ; steps > 0; steps-- {
		x ^= x >> 29
		x *= 0xBF58476D1CE4E5B9
	}
	// Keeps the loop from being left out.
	if x == 0 {
		sink.Add(1)
	}
}

func answer(port int) error {
	start := time.Now()
	say("Ready", map[string]int{"port": port})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch lines.Text() {
		case "sample":
			now, err := sampled(start)
			if err != nil {
				return err
			}
			say("Sample", now)
		case "totals":
			say("Totals", books())
		default:
			return fmt.Errorf("asked %q", lines.Text())
		}
	}
	return lines.Err()
}

// The usage and when it was read, as the other servers do it.
func usageAndTime(start time.Time) (syscall.Rusage, time.Duration, error) {
	var used syscall.Rusage
	for try := 0; try < sampleTries; try++ {
		before := time.Since(start)
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			return used, 0, err
		}
		if time.Since(start)-before <= sampleTakes {
			return used, before, nil
		}
	}
	return used, 0, fmt.Errorf("could not read usage and clock together in %d tries", sampleTries)
}

func sampled(start time.Time) (sample, error) {
	used, at, err := usageAndTime(start)
	if err != nil {
		return sample{}, err
	}
	micros := func(time syscall.Timeval) uint64 { return uint64(time.Sec)*1_000_000 + uint64(time.Usec) }
	result := sample{
		AtUs: uint64(at.Microseconds()),
		Usage: usage{
			UserUs:      micros(used.Utime),
			SystemUs:    micros(used.Stime),
			Voluntary:   uint64(used.Nvcsw),
			Involuntary: uint64(used.Nivcsw),
		},
	}
	if *syscallsFd >= 0 {
		var bytes [8]byte
		if _, err := syscall.Read(*syscallsFd, bytes[:]); err != nil {
			return sample{}, err
		}
		count := binary.LittleEndian.Uint64(bytes[:])
		result.Syscalls = &count
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return sample{}, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		number, err := strconv.ParseUint(fields[1], 10, 64)
		switch {
		case fields[0] == "Threads:" && err == nil:
			result.Threads = number
		case fields[0] == "VmHWM:" && err == nil:
			result.MemoryPeak = number * 1024
		}
	}
	return result, nil
}

func books() totals {
	// Closed first: whoever sees a connection closed sees its sums.
	now := totals{Closed: closed.Load()}
	now.Opened, now.Requests, now.Errors = opened.Load(), requests.Load(), failures.Load()
	if first, ok := firstFailure.Load().(string); ok {
		now.FirstError = &first
	}
	return now
}

func say(word string, value any) {
	send(map[string]any{"said": map[string]any{word: value}})
}

func giveUp(err error) {
	send(map[string]string{"failed": err.Error()})
	os.Exit(1)
}

func send(line any) {
	outputLock.Lock()
	defer outputLock.Unlock()
	text, err := json.Marshal(line)
	if err == nil {
		_, err = os.Stdout.Write(append(text, '\n'))
	}
	if err != nil {
		// Nobody listens any more.
		os.Exit(1)
	}
}
