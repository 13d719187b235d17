require 'net/http'
run(lambda do |env|
  _, _, id, calls = env['PATH_INFO'].split('/')
  (1..calls.to_i).each { |i| Net::HTTP.get(URI("http://127.0.0.1:#{ENV['BACK']}/d/#{id}/#{i}")) }
  [200, { 'content-type' => 'text/plain' }, ["done #{id}\n"]]
end)
