// hls::stream: a light stand-in for compiling generated code without a vendor tool (see ap_int.h). An unbounded queue.
#ifndef NN2HLS_HLS_STREAM_H_
#define NN2HLS_HLS_STREAM_H_

#include <cstdlib>
#include <deque>

namespace hls {

template <class T>
class stream {
  public:
    stream() = default;
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    bool empty() const { return words_.empty(); }
    void write(const T& word) { words_.push_back(word); }
    T read() {
        if (words_.empty()) std::abort();  // hardware would wait for ever
        const T word = words_.front();
        words_.pop_front();
        return word;
    }
    void read(T& word) { word = read(); }

  private:
    std::deque<T> words_;
};

}  // namespace hls

#endif
