// cpp.cpp: embws.h as a C++11 program uses it: a handle that frees itself, statuses that become exceptions, vectors as
// buffers. A client and a server meet in memory: handshake, messages both ways, closing handshake.

#include <embws.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

int32_t checked(int32_t status) {
    if (status < 0) {
        throw std::runtime_error(std::string(embws_status_name(status)) + ", " + embws_error_detail());
    }
    return status;
}

void require(bool condition, const char *what) {
    if (!condition) throw std::logic_error(what);
}

embws_span span(const std::string &text) {
    embws_span s;
    s.data = text.data();
    s.length = text.size();
    return s;
}

struct Free {
    void operator()(embws_session *session) const { embws_session_free(session); }
};
using Handle = std::unique_ptr<embws_session, Free>;

// A session with its buffers. Move it, but do not copy it.
class Session {
   public:
    static Session serve() {
        embws_session *session = nullptr;
        checked(embws_session_serve(&session, nullptr, nullptr));
        return Session(session);
    }

    static Session connect(const std::string &host, const std::string &target) {
        embws_session *session = nullptr;
        embws_request request;
        EMBWS_INIT(&request);
        request.host = span(host);
        request.target = span(target);
        checked(embws_session_connect(&session, &request, nullptr, nullptr));
        return Session(session);
    }

    // Takes what has arrived; tells of each message. What is to be sent goes to `to`.
    void receive(std::vector<uint8_t> bytes, std::vector<uint8_t> &to,
                 const std::function<void(uint32_t, const std::string &)> &message) {
        size_t at = 0;
        for (bool again = true; again;) {
            embws_io io = buffers();
            embws_message m;
            io.in = bytes.data() + at;
            io.in_length = bytes.size() - at;
            checked(embws_session_next(handle_.get(), &io, memory_.data(), memory_.size(), &m));
            at += io.eaten;
            sent(io, to);
            if (io.state == EMBWS_STATE_REQUEST) {
                embws_io answer = buffers();
                checked(embws_session_accept(handle_.get(), &answer, nullptr));
                sent(answer, to);
            }
            if (m.kind != 0) message(m.kind, std::string(reinterpret_cast<const char *>(m.payload), m.length));
            again = m.kind != 0 && at < bytes.size();
        }
        require(at == bytes.size(), "all bytes are taken");
    }

    void send(const std::string &text, std::vector<uint8_t> &to) {
        int32_t status = EMBWS_MORE;
        for (size_t at = 0; status == EMBWS_MORE;) {
            embws_io io = buffers();
            status = checked(embws_session_send(handle_.get(), &io, EMBWS_TEXT, 1, text.data() + at, text.size() - at));
            at += io.taken;
            sent(io, to);
        }
    }

    void close(uint32_t code, const std::string &reason, std::vector<uint8_t> &to) {
        embws_io io = buffers();
        checked(embws_session_close(handle_.get(), &io, code, reason.data(), reason.size()));
        sent(io, to);
    }

    void flush(std::vector<uint8_t> &to) {
        embws_io io = buffers();
        checked(embws_session_flush(handle_.get(), &io));
        sent(io, to);
    }

    uint32_t state() const {
        embws_info info;
        EMBWS_INIT(&info);
        checked(embws_session_info(handle_.get(), &info));
        return info.state;
    }

    void end() { checked(embws_session_end(handle_.get())); }

   private:
    explicit Session(embws_session *session) : handle_(session), out_(300), memory_(1 << 16) {}

    embws_io buffers() {
        embws_io io;
        EMBWS_INIT(&io);
        io.out = out_.data();
        io.out_capacity = out_.size();
        return io;
    }

    void sent(embws_io io, std::vector<uint8_t> &to) {
        to.insert(to.end(), out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(io.out_length));
        while (io.more != 0) {
            checked(embws_session_flush(handle_.get(), &io));
            to.insert(to.end(), out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(io.out_length));
        }
    }

    Handle handle_;
    std::vector<uint8_t> out_, memory_;
};

// Takes all that waits, and leaves nothing.
std::vector<uint8_t> take(std::vector<uint8_t> &wire) {
    std::vector<uint8_t> bytes;
    bytes.swap(wire);
    return bytes;
}

void talk() {
    std::vector<uint8_t> up, down;
    Session server = Session::serve();
    Session client = Session::connect("example.com", "/chat");
    std::string heard;
    uint32_t last = 0;
    auto listen = [&](uint32_t kind, const std::string &payload) {
        last = kind;
        if (kind == EMBWS_TEXT) heard += payload;
    };

    client.flush(up);
    server.receive(take(up), down, listen);
    require(last == EMBWS_HANDSHAKE && server.state() == EMBWS_STATE_OPEN, "the server has accepted");
    client.receive(take(down), up, listen);
    require(last == EMBWS_HANDSHAKE && client.state() == EMBWS_STATE_OPEN, "the client is open");

    const std::string hello = "Gr\xC3\xBC\xC3\x9F dich", large(50000, 'x');
    client.send(hello, up);
    client.send(large, up);
    server.receive(take(up), down, listen);
    require(heard == hello + large, "both messages came whole");
    heard.clear();
    Session moved = std::move(server);  // a handle belongs to one owner, who may change
    moved.send(large, down);
    client.receive(take(down), up, listen);
    require(heard == large, "the answer came whole");

    client.close(EMBWS_CLOSE_NORMAL, "bye", up);
    moved.receive(take(up), down, listen);
    require(last == EMBWS_CLOSE, "the server saw the Close");
    client.receive(take(down), up, listen);
    client.end();
    moved.end();
    require(client.state() == EMBWS_STATE_CLOSED && moved.state() == EMBWS_STATE_CLOSED, "both are closed");
}

// A wrong call is an exception that says what was wrong.
void wrong_call() {
    std::string what;
    try {
        Session::connect("not a host", "/");
    } catch (const std::runtime_error &error) {
        what = error.what();
    }
    require(what.find("EMBWS_ERR_REQUEST_HOST") == 0, "the exception tells the status");
    require(what.find("embws_session_connect") != std::string::npos, "the exception tells the function");
}

}  // namespace

int main() {
    try {
        require(embws_abi_version() == EMBWS_ABI_VERSION, "the library is the one for this header");
        talk();
        wrong_call();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "cpp: %s\n", error.what());
        return EXIT_FAILURE;
    }
    std::puts("cpp: a client and a server have talked");
    return EXIT_SUCCESS;
}
