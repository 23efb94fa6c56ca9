# The course in a container:  docker build -t course . && docker run --rm -p 8888:8888 course
FROM python:3.13-slim
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /course
COPY . .
RUN python course.py setup
EXPOSE 8888
CMD ["python", "course.py", "lab", "--ip=0.0.0.0", "--no-browser", "--allow-root"]
